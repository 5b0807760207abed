"""A GPU that is not there: CuPy's arrays over the CPU's memory, and the CUDA kernels compiled as C++.

Only what asks CuPy's runtime for something is replaced (see cupy_runtime.py). All above it is the real thing, arrays
included, and so is the text of the kernels, which a C++ compiler takes after tests/cuda_host.hpp.
"""

import contextlib
import ctypes
import functools
import hashlib
import operator
import shutil
import subprocess
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path

import cupy
import numpy as np
import pytest

from fastadam.backends import layouts
from fastadam.backends.cuda import kernels
from fastadam.backends.cuda.cupy_runtime import Gpu

if not shutil.which("g++"):
    pytest.skip("needs g++, which compiles the CUDA kernels as C++", allow_module_level=True)

SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
_PRELUDE = Path(__file__).with_name("cuda_host.hpp")
_FOLDER = tempfile.TemporaryDirectory(prefix="fastadam-cuda-host-")


@functools.cache
def compile_for_host(source, options, names, flags):
    """The kernels of a source text as functions of (argument's bytes, blocks, first block, last block, threads)."""
    text = f'#include "{_PRELUDE}"\n{source}\n' + "".join(f"HOST_KERNEL({name})\n" for name in names)
    definitions = [option for option in options if option.startswith("-D")]
    definitions += ["-DHOST_FIBERS"] if "__syncthreads" in source else []
    stem = Path(_FOLDER.name) / hashlib.sha256(repr((text, definitions, flags)).encode()).hexdigest()[:16]
    stem.with_suffix(".cpp").write_text(text)
    command = ["g++", "-std=c++17", "-O1", "-ffp-contract=off", "-fno-strict-aliasing", "-shared", "-fPIC", *definitions]
    command += [*flags, "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused", "-Wno-missing-field-initializers"]
    result = subprocess.run([*command, "-o", stem.with_suffix(".so"), stem.with_suffix(".cpp")], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    library = ctypes.CDLL(str(stem.with_suffix(".so")))
    return [HostKernel(library, name) for name in names]


class HostKernel:
    """A kernel that runs on the CPU."""

    def __init__(self, library, name):
        self.name = name
        self.argument_size = getattr(library, f"argument_size_{name}")()
        self._run = getattr(library, f"run_{name}")

    def __call__(self, argument, blocks, threads, first=0, last=None):
        assert argument.nbytes >= self.argument_size
        last = blocks if last is None else last
        self._run(*map(ctypes.c_void_p, [argument.ctypes.data]), *map(ctypes.c_uint, (blocks, first, last, threads)))


class Room:
    """Memory of a device, between guards; those that somebody wrote to are told in `broken` at the latest when it is freed."""

    guard, width = 0xA5, 64
    alive, broken = weakref.WeakSet(), []

    def __init__(self, values, offset):
        self._size = values.nbytes
        self._bytes = np.full(self._size + 5 * self.width, self.guard, np.uint8)
        self._start = self.width - self._bytes.ctypes.data % 64 + 64 + values.itemsize * offset
        self.address = self._bytes.ctypes.data + self._start
        self._bytes[self._start : self._start + self._size] = np.frombuffer(values.tobytes(), np.uint8)
        self.alive.add(self)

    def check(self):
        before, after = self._bytes[: self._start], self._bytes[self._start + self._size :]
        if (before != self.guard).any() or (after != self.guard).any():
            self.broken.append(f"{self._size} bytes at {self.address:#x}")

    __del__ = check


def on_gpu(values, device=0, offset=0):
    """A cupy.ndarray with these values, `offset` elements after a 64-byte boundary, that claims to be on a device."""
    values = np.asarray(values)
    assert 0 <= offset < 16
    order = layouts.axes(values.shape, values.strides)  # which CuPy keeps
    turned = values.transpose(order)
    room = Room(turned, offset)
    memory = cupy.cuda.UnownedMemory(room.address, values.nbytes, room, device)
    array = cupy.ndarray(turned.shape, values.dtype, cupy.cuda.MemoryPointer(memory, 0))
    return array.transpose(*map(order.index, range(len(order))))


def on_cpu(array):
    """A NumPy array over the memory of what on_gpu made."""
    if array.size == 0:
        return np.empty(array.shape, array.dtype)
    reach = sum((n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)) + array.itemsize
    memory = (ctypes.c_byte * reach).from_address(array.data.ptr)
    return np.ndarray(array.shape, array.dtype, memory, strides=array.strides)


@dataclass
class Launch:
    """One kernel launch as CuPy would have received it."""

    kernel: str
    device: int
    stream: int
    grid: tuple
    block: tuple
    argument: np.ndarray


class HostGpu(Gpu):
    """Stands in for the GPUs: `devices` of them. What is launched is done at once, whatever stream it is launched on."""

    def __init__(self, devices=2):
        self._cupy, self._runtime, self.ndarray = cupy, None, cupy.ndarray
        self.devices = devices
        self.launches = []
        self.compiled = []
        self.waited_for = []
        self.capturing = None  # the launches of the graph being captured
        self._device = 0
        self._streams = [0] * devices

    def current(self):
        return self._device

    @contextlib.contextmanager
    def on(self, device):
        assert 0 <= device < self.devices
        before, self._device = self._device, device
        try:
            yield
        finally:
            self._device = before

    @contextlib.contextmanager
    def stream(self, stream, device):
        assert device == self._device
        before, self._streams[device] = self._streams[device], stream
        try:
            yield
        finally:  # as in CuPy, whose default stream is that of the current device
            self._streams[device if before else self._device] = before

    def use(self, device):
        assert 0 <= device < self.devices
        return setattr, self, "_device", device

    def compile(self, source, options, names):
        self.compiled.append((options, self._device))
        return [functools.partial(self._launch, kernel) for kernel in compile_for_host(source, options, names, ())]

    def argument(self, memory):
        return memory

    def _launch(self, kernel, grid, block, arguments):
        (argument,) = arguments  # by value: the caller may change it afterwards
        launch = Launch(kernel.name, self._device, self._streams[self._device], grid, block, argument.copy())
        self.launches.append(launch)
        if self.capturing is None:
            self.run(kernel, launch)
        else:
            self.capturing.append((kernel, launch))

    @staticmethod
    def run(kernel, launch):
        kernel(launch.argument, *launch.grid, *launch.block)

    def is_capturing(self):
        return self.capturing is not None

    @contextlib.contextmanager
    def capture(self):
        """The launches within are not run; what it gives runs them each time it is called."""
        self.capturing = captured = []
        try:
            yield lambda: [self.run(kernel, launch) for kernel, launch in captured]
        finally:
            self.capturing = None

    def copy(self, values):
        return on_gpu(values, self._device)

    def full(self, shape, value, dtype):
        return on_gpu(np.full(shape, value, dtype), self._device)

    def empty(self, shape, dtype):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return on_gpu(np.full(size, 0xCD, np.uint8).view(dtype).reshape(shape), self._device)

    def to_host(self, array):
        return on_cpu(array).copy()

    def assignment(self, array, values):
        target = on_cpu(array)
        assert (target.shape, target.dtype) == (values.shape, values.dtype)  # CuPy sets no others
        assert target.flags.c_contiguous
        return operator.setitem, target, ..., values

    def concatenate(self, arrays, out):
        np.concatenate([on_cpu(array) for array in arrays], out=on_cpu(out))

    def from_dlpack(self, array):
        return array.exported()

    def device_of(self, address):
        return self._device

    def _wait_for(self, stream):
        self.waited_for.append(stream)


@contextlib.contextmanager
def installed(gpu):
    """`gpu` is the one that the backend uses, within; nothing may have been written beside an array when it ends."""
    before = kernels.gpu.__globals__["_gpu"]
    Room.broken.clear()
    kernels.gpu.__globals__["_gpu"] = gpu
    forget_kernels()
    try:
        yield gpu
    finally:
        kernels.gpu.__globals__["_gpu"] = before
        forget_kernels()
    for room in list(Room.alive):
        room.check()
    assert not Room.broken, f"written beside {Room.broken}"


def forget_kernels():
    kernels.of.cache_clear()
    kernels.of_norms.cache_clear()
