"""Everything that the backend uses of CuPy's runtime, in one class. Tests replace it by one that needs no GPU."""

import contextlib
import functools
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastadam.at_once import Call

# kernel(grid, block, arguments), as a cupy.cuda.Function is called.
Kernel = Callable[[tuple[int], tuple[int], tuple[Any, ...]], None]

INSTALL = "pip install 'fastadam[cuda13]' (for CUDA 13, GPUs from compute capability 7.5) or 'fastadam[cuda12]' (CUDA 12)"
_SAME_GPU = contextlib.nullcontext()
_CAPTURE_IMPLICIT = 906  # cudaErrorStreamCaptureImplicit


class Gpu:
    """The GPUs of this machine, through CuPy.

    Raises
    ------
    ImportError
        If CuPy cannot be imported.
    RuntimeError
        If it finds no usable driver or GPU.
    """

    def __init__(self) -> None:
        try:
            cupy: Any = importlib.import_module("cupy")
        except ImportError as error:
            raise ImportError(f"arrays on a GPU need CuPy, which cannot be imported ({error}); {INSTALL}") from error
        self._cupy = cupy
        self.ndarray = cupy.ndarray
        self._runtime = cupy.cuda.runtime
        if self._runtime.is_hip:
            raise RuntimeError(
                f"CuPy {cupy.__version__} is built for AMD's ROCm; expected one for CUDA, for which the kernels are written; "
                f"use arrays in the CPU's memory, or an NVIDIA GPU and {INSTALL}"
            )
        try:
            self._runtime.getDevice()
        except self._runtime.CUDARuntimeError as error:
            raise RuntimeError(
                f"CuPy {cupy.__version__} finds no GPU that it can use ({error}); expected an NVIDIA GPU whose driver is at "
                f"least as new as CuPy's CUDA; update the driver, or {INSTALL}"
            ) from error

    def current(self) -> int:
        """The current device."""
        return int(self._runtime.getDevice())

    def on(self, device: int) -> contextlib.AbstractContextManager[Any]:
        """A context in which `device` is the current device."""
        return _SAME_GPU if self._runtime.getDevice() == device else self._cupy.cuda.Device(device)

    def stream(self, stream: int, device: int) -> contextlib.AbstractContextManager[Any]:
        """A context in which a stream of another library is the current one of `device`, which must be the current device."""
        return self._cupy.cuda.ExternalStream(stream, device)  # type: ignore[no-any-return]

    def use(self, device: int) -> Call:
        """The call that makes `device` the current device."""
        return (self._cupy.cuda.Device(device).use,)

    def compile(self, source: str, options: tuple[str, ...], names: tuple[str, ...]) -> list[Kernel]:
        """Compile a source text for the current device; returns the kernels `names`."""
        try:
            module = self._cupy.RawModule(code=source, options=options)
            return [module.get_function(name).kernel for name in names]
        except Exception as error:
            capability = self._cupy.cuda.Device().compute_capability
            raise RuntimeError(
                f"CuPy {self._cupy.__version__} could not compile for a GPU of compute capability {int(capability) / 10} "
                f"({type(error).__name__}: {error}); expected CUDA's run-time compiler (NVRTC), in a version that supports the "
                f"GPU; {INSTALL}"
            ) from error

    def argument(self, memory: Any) -> Any:
        """A kernel's argument: what a NumPy array has at the launch, by value. It keeps the array alive."""
        return _argument_type(self._cupy.cuda.function.CPointer)(memory)

    def is_capturing(self) -> bool:
        """Whether the current stream is being captured into a graph."""
        try:
            return bool(self._cupy.cuda.get_current_stream().is_capturing())
        except self._runtime.CUDARuntimeError as error:
            if error.status != _CAPTURE_IMPLICIT:
                raise
            raise RuntimeError(
                "another stream is being captured into a CUDA graph, and the current one is the default stream, which waits "
                "for it: anything queued here would end the capture; use the captured stream, or capture one that is made with "
                "non_blocking=True"
            ) from error

    def copy(self, values: Any) -> Any:
        """A copy of a NumPy array on the current device."""
        return self._cupy.asarray(values)

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> Any:
        return self._cupy.empty(shape, dtype)

    def full(self, shape: int | tuple[int, ...], value: complex, dtype: Any) -> Any:
        return self._cupy.full(shape, value, dtype)

    def to_host(self, array: Any) -> Any:
        """A NumPy array with the values of a device array; waits for the current stream."""
        return self._cupy.asnumpy(array)

    def assignment(self, array: Any, values: Any) -> Call:
        """The call that copies a NumPy array into a device array of the same shape and dtype, both C-contiguous."""
        return array.set, values

    def concatenate(self, arrays: Sequence[Any], out: Any) -> None:
        """Concatenate one-dimensional device arrays into `out`."""
        self._cupy.concatenate(arrays, out=out)

    def from_dlpack(self, array: Any) -> Any:
        """A view of an array of another library, which the current stream may use from now on."""
        return self._cupy.from_dlpack(array)

    def from_interface(self, interface: dict[str, Any], owner: Any) -> Any:
        """The same for an array's ``__cuda_array_interface__``.

        The current stream will wait for the work on the interface's stream; the host will not.
        """
        shape, strides, dtype = interface["shape"], interface.get("strides"), np.dtype(interface["typestr"])
        address, steps = interface["data"][0], strides or _contiguous_strides(shape, dtype.itemsize)
        size = dtype.itemsize + sum((n - 1) * step for n, step in zip(shape, steps, strict=True)) if all(shape) else 0
        # An empty array may have no address, which would tell its device.
        device = self.device_of(address) if size else self.current()
        memory = self._cupy.cuda.UnownedMemory(address, size, owner, device)
        if interface.get("stream") is not None:
            with self.on(device):  # an event belongs to a device, and its stream must too
                self._wait_for(interface["stream"])
        return self._cupy.ndarray(shape, dtype, self._cupy.cuda.MemoryPointer(memory, 0), strides)

    def device_of(self, address: int) -> int:
        """The device whose memory has this address."""
        return int(self._runtime.pointerGetAttributes(address).device)

    def _wait_for(self, stream: int) -> None:
        """Make the current stream wait for the work queued on `stream`."""
        current = self._cupy.cuda.get_current_stream()
        if stream != current.ptr:
            event = self._cupy.cuda.Event(disable_timing=True)
            self._runtime.eventRecord(event.ptr, stream)
            current.wait_event(event)


@functools.cache
def _argument_type(pointer: Any) -> Any:
    """A pointer that a launch takes as it is; of an array, CuPy would make a new one each time."""

    class Argument(pointer):  # type: ignore[misc]
        def __init__(self, memory: Any) -> None:
            super().__init__(memory.ctypes.data)
            self._memory = memory

    return Argument


def _contiguous_strides(shape: tuple[int, ...], itemsize: int) -> list[int]:
    return [itemsize * int(np.prod(shape[k + 1 :], dtype=np.int64)) for k in range(len(shape))]


_gpu: Gpu | None = None


def gpu() -> Gpu:
    """The only instance, made at the first call."""
    global _gpu
    if _gpu is None:
        _gpu = Gpu()
    return _gpu
