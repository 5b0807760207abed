"""Where the CUDA kernels reach, run by the CPU: elements beyond 2**31 and 2**32, and never a byte outside of the arrays nor a
misaligned access, as AddressSanitizer and UndefinedBehaviorSanitizer see it."""

import ctypes
import itertools
import mmap
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from buffers import assert_same_bits, random_inputs
from cuda_variants import (
    DEFAULT,
    SMALL,
    List,
    addresses,
    advance_argument,
    capturable_argument,
    kernels,
    list_argument,
    step_argument,
)
from variants import ONE_OF_EACH, VARIANTS

from fastadam import _native
from fastadam._native import StepOptions
from fastadam.backends.cuda import source
from fastadam.backends.cuda.device_norm import CHUNK, VERDICT
from fastadam.backends.cuda.kernels import NormKernels
from fastadam.backends.cuda.launch import MOST_BLOCKS, MOST_WORDS, TABLES, Argument
from fastadam.backends.cuda.source import Shape

cuda_host = pytest.importorskip("cuda_host", reason="needs CuPy (but no GPU): pip install cupy-cuda13x")

linux = pytest.mark.skipif(sys.platform != "linux", reason="maps memory and preloads libraries by Linux's rules")
PLAIN = VARIANTS[0]
TINY = Shape(block=8, vectors=1, chunk=32)  # the smallest whose threads suffice for both ends of a tensor
IN_4G = 2**32 // DEFAULT.chunk
MAP_NORESERVE = 0x4000
SEEN = 20_000  # elements of a huge array that are looked at together
BEHIND = 100  # and behind its end


def huge_arrays(count, size, offset, starts):
    """Zeros that take no memory, and may be written to only near the starts: elsewhere a wrong kernel would take it all."""
    arrays, libc = [], ctypes.CDLL(None)
    for _ in range(count):
        try:
            memory = mmap.mmap(-1, 4 * (offset + size + BEHIND), flags=mmap.MAP_PRIVATE | MAP_NORESERVE, prot=mmap.PROT_READ)
        except OSError as error:
            pytest.skip(f"needs {4 * size * count >> 30} GiB of address space, which are not to be had: {error}")
        array = np.frombuffer(memory, np.float32)[offset:]
        for start in starts:
            address = array.ctypes.data + 4 * start
            first, last = address - address % mmap.PAGESIZE, address + 4 * (SEEN + BEHIND)
            both = mmap.PROT_READ | mmap.PROT_WRITE
            assert libc.mprotect(ctypes.c_void_p(first), ctypes.c_size_t(last - first), both) == 0
        writeable = (ctypes.c_float * array.size).from_address(array.ctypes.data)
        writeable.memory = memory
        arrays.append(np.ctypeslib.as_array(writeable))
    return arrays


def check_huge(run, is_stepped, size, offset, shape, middle):
    """That `run` steps the elements of just those chunks for which `is_stepped`, at the beginning, the middle and the end."""
    starts = (0, middle - SEEN // 2, size - SEEN)
    rooms = huge_arrays(PLAIN.arrays, size, offset, starts)
    head = -offset % 4
    after_vectors = head + (size - head) // 4 * 4
    windows = []
    for start in starts:
        inputs = random_inputs(SEEN, PLAIN.states, seed=start)
        for room, values in zip(rooms, inputs, strict=True):
            room[start : start + SEEN] = values
        i = np.arange(start, start + SEEN)
        chunk = np.where((i >= head) & (i < after_vectors), (i - head) // shape.chunk, 0)  # the first does both ends
        stepped = is_stepped(chunk)
        changed = [values[stepped] for values in inputs]
        PLAIN.reference(*changed, step=3)
        for values, some in zip(inputs, changed, strict=True):
            values[stepped] = some
        windows.append((start, inputs))
    run([room[:size] for room in rooms])
    for (start, inputs), k in itertools.product(windows, range(PLAIN.arrays)):
        assert_same_bits(rooms[k][start : start + SEEN], inputs[k], f"in array {k} from {start}, size {size}, offset {offset}")
        assert not rooms[k][size:].any()


@linux
@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize(
    ("shape", "chunks", "blocks", "middle"),
    [
        (DEFAULT, IN_4G + 1, IN_4G + 1, 2**31),  # one chunk a block
        (DEFAULT, IN_4G + 1, IN_4G, 2**31),  # the first block also does the last chunk
        (SMALL, 2**23 + 2, 2**22, 2**31),
        (TINY, 2**31 + 2, MOST_BLOCKS, 2**35),  # an index of a chunk beyond 2**31
        (TINY, 2**33 + 2, 2**32 - 1, 2**37),  # and beyond 2**32, in a grid larger than there is
    ],
)
def test_elements_beyond_32_bits(shape, chunks, blocks, middle, offset):
    size = shape.chunk * (chunks - 1) + min(shape.chunk - 5, 1003)
    some_chunks = [0, 1, middle // shape.chunk - 1, middle // shape.chunk, chunks - 1]
    run_blocks = sorted({chunk % blocks for chunk in some_chunks})

    def run(arrays):
        for block in run_blocks:
            kernels(PLAIN.key, shape).step(step_argument(PLAIN, arrays, 3).bytes, blocks, shape.block, block, block + 1)

    check_huge(run, lambda chunk: np.isin(chunk % blocks, run_blocks), size, offset, shape, middle)


@linux
def test_listed_elements_beyond_32_bits():
    size, chosen = 2**32 + 1003, np.array([0, IN_4G // 2 - 1, IN_4G // 2, IN_4G], np.int32)

    def run(arrays):
        table = List([[array[:1] for array in arrays]], DEFAULT)
        table.tensors["size"] = size
        table.chunks = np.zeros(len(chosen), TABLES["Chunk"])
        table.chunks["index"] = chosen
        kernels(PLAIN.key, DEFAULT).step_list(list_argument(PLAIN, table, 3).bytes, 3, DEFAULT.block)

    check_huge(run, lambda chunk: np.isin(chunk, chosen), size, 3, DEFAULT, 2**31)


def exact_arrays(variant, size, misalignments):
    """Arrays that end where their memory ends."""
    arrays = [np.empty(offset + size, variant.dtype)[offset:] for offset in misalignments]
    for array, values in zip(arrays, random_inputs(size, variant.states, dtype=variant.dtype), strict=True):
        array[...] = values
    return arrays


def sanitized(fault=None):
    """What the sanitizers watch, in a process of its own: nothing for them to say, but for a `fault`."""
    assert "libasan" in os.environ.pop("LD_PRELOAD")  # the compiler needs none of it
    cases = [*itertools.product((PLAIN, ONE_OF_EACH[0]), (SMALL, DEFAULT)), (replace(PLAIN, dtype="float64"), SMALL)]
    for variant, shape in cases:
        compiled = kernels(variant.key, shape, cuda_host.SANITIZE)
        alike = [[offset] * variant.arrays for offset in range(4)]
        one_unlike = [[1 + (i == k) for i in range(variant.arrays)] for k in range(variant.arrays)]
        for size, misalignments in itertools.product([0, 1, 3, 4, 6, 129, 256, 515, 1541], alike + one_unlike):
            arrays = exact_arrays(variant, size, misalignments)
            argument = step_argument(variant, arrays, 3)
            if fault == "size":
                argument.view("tensor", "size")[...] += 1
            if fault == "alignment":
                argument.view("tensor", "param")[...] += 2
            compiled.step(argument.bytes, 1 + size % 4, shape.block)
        sizes = [3, 0, 512, 1, 1025, 515]
        tensors = [exact_arrays(variant, size, one_unlike[i % variant.arrays]) for i, size in enumerate(sizes)]
        table = List(tensors, shape, skipped=(3,))
        steps = np.arange(len(sizes))
        room = np.empty(len(sizes) * len(_native.cuda_coefficients(variant.rule, 1)), np.uint8)
        advance, _options = advance_argument(variant, table.grads, steps, room, len(sizes) + (fault == "count"))
        compiled.advance(advance.bytes, 2, shape.block)
        capturable, listed = capturable_argument(variant, table, room), list_argument(variant, table, 3)
        for each in (capturable, listed):
            each.view("list", "chunk_count")[...] += fault == "chunks"
        compiled.step_capturable(capturable.bytes, 3, shape.block)
        compiled.step_list(listed.bytes, 2, shape.block)
        words = np.empty(MOST_WORDS, np.int64)
        argument = Argument("WriteArguments", destination=words.ctypes.data, count=MOST_WORDS + (fault == "words"))
        compiled.write(argument.bytes, 1, shape.block)
    for dtype, value in (("float32", 1.0), ("float64", 1.0), ("float64", 2.0**1000)):
        norm_of_exact_arrays([1, 31, 2049, 5, 10_000], dtype, value, fault)
    print("done")


def norm_of_exact_arrays(sizes, dtype, value, fault):
    names = tuple(f"fastadam_{name}" for name in NormKernels.names(dtype))
    options = source.norm_options(dtype, SMALL)
    compiled = NormKernels(*cuda_host.compile_for_host(source.text("norm.cu"), options, names, cuda_host.SANITIZE))
    grads = [np.full(size, value, dtype) for size in sizes]
    counts = [-(-size // CHUNK) for size in sizes]
    extents = np.array(list(zip(sizes, np.cumsum([0, *counts[:-1]]), strict=True)), TABLES["Extent"])
    extents["size"][-1] += fault == "norm"
    table, sums, verdict = np.array(addresses(grads)), np.empty(sum(counts) + 1), np.empty(VERDICT[dtype])
    progress = np.zeros(1, TABLES["NormProgress"])
    names = ("grads", "extents", "sums", "progress", "verdict")
    members = dict(zip(names, addresses([table, extents, sums, progress, verdict]), strict=True))
    options = bytes(StepOptions(max_norm=np.inf))
    argument = Argument("NormArguments", dtype, count=len(sizes), chunk_count=sum(counts), options=options, **members)
    for kernel in filter(None, (compiled.norm, compiled.norm_scaled)):
        kernel(argument.bytes, 3, SMALL.block)
    assert verdict[0] == np.sqrt(sum(sizes)) * value


FAULTS = {
    None: "",
    "size": "heap-buffer-overflow",
    "chunks": "heap-buffer-overflow",
    "count": "heap-buffer-overflow",
    "words": "out of bounds",
    "norm": "heap-buffer-overflow",
    "alignment": "misaligned address",
}


@linux
@pytest.mark.parametrize("fault", FAULTS)
def test_sanitizers(run_python, fault):
    compiler = shutil.which("g++") or pytest.skip("needs g++")
    library = subprocess.run([compiler, "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    if not os.path.isabs(library):
        pytest.skip("needs AddressSanitizer's library (libasan)")
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\nimport test_cuda_memory as t; t.sanitized({fault!r})"
    )
    result = run_python(program, check=False, LD_PRELOAD=library, ASAN_OPTIONS="detect_leaks=0")
    print(result.stderr)
    if fault is None:
        known = "ASan doesn't fully support makecontext/swapcontext"  # by which the threads of a block take turns
        messages = [line for line in result.stderr.splitlines() if known not in line]
        assert (result.returncode, result.stdout, messages) == (0, "done\n", [])
    else:
        assert result.returncode != 0
        assert FAULTS[fault] in result.stderr
