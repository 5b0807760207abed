"""The CUDA kernel of the global norm, run by the CPU: the reference's bits for any sizes, grids and orders of blocks."""

import functools

import numpy as np
import pytest
from buffers import Guarded, random_values

from fastadam import reference
from fastadam._native import StepOptions
from fastadam.at_once import at_once
from fastadam.backends.cuda import source
from fastadam.backends.cuda.device_norm import CHUNK, Norm, address_of, new_verdict, room_for_sums
from fastadam.backends.cuda.kernels import NormKernels
from fastadam.backends.cuda.launch import CONSTANTS, STRUCTS, TABLES, Argument
from fastadam.backends.cuda.source import Shape

pytest.importorskip("cupy", reason="needs CuPy, though no GPU: pip install cupy-cuda13x")
from cuda_host import compile_for_host, on_cpu, on_gpu
from cuda_variants import addresses

F32 = np.float32
SMALL, DEFAULT = Shape(block=64), Shape()
GUARD, LANES = -12345.678, CONSTANTS["norm_lanes"]
EDGES = [edge + d for edge in (LANES, CHUNK, 2 * CHUNK) for d in (-1, 0, 1)]
LISTS = [
    *[[size] for size in (1, 2, 7, *EDGES, 70_001)],
    [],
    [5, CHUNK, CHUNK + 1, 31, CHUNK - 1, 1],
    [1] * (CHUNK - 1),
    [1] * CHUNK,
    [2] * (CHUNK + 1),  # whose sums fill more than one chunk
    [3] * 5000,
]
DTYPES = ["float32", "float64"]


@functools.cache
def kernels(dtype, shape):
    names = tuple(f"fastadam_{name}" for name in NormKernels.names(dtype))
    return NormKernels(*compile_for_host(source.text("norm.cu"), source.norm_options(dtype, shape), names, ()))


def finite_values(size, seed, dtype="float32"):
    values = random_values(np.random.default_rng(seed), size, dtype=dtype)
    return np.where(np.isfinite(values), values, values.dtype.type(3.4e38))


class Memory:
    """What a launch reads and writes, with guards around it."""

    def __init__(self, grads, offset=0):
        self.grads = Guarded([grad for grad in grads if grad.size], offset)
        arrays = self.grads.arrays
        counts = [-(-array.size // CHUNK) for array in arrays]
        self.chunks = sum(counts)
        self.addresses = np.array([array.ctypes.data for array in arrays], np.int64)
        starts = np.cumsum([0, *counts])[:-1]
        self.extents = np.array([(array.size, start) for array, start in zip(arrays, starts, strict=True)], TABLES["Extent"])
        self.sums = np.full(2 + room_for_sums(self.chunks) + 2, GUARD)
        self.dtype = arrays[0].dtype.name if arrays else "float32"
        words = [STRUCTS[self.dtype][name].itemsize // 8 for name in ("NormProgress", "NormVerdict")]
        self.progress, self.verdict, self.skips = (np.full(n + 2, -7, np.int64) for n in (*words, 1))
        self.progress[1:-1] = self.skips[1] = 0

    def argument(self, grad_scale=1.0, max_norm=np.inf, skip_nonfinite=False):
        arrays = [self.addresses, self.extents, self.sums[2:], self.progress[1:], self.verdict[1:], self.skips[1:]]
        names = ("grads", "extents", "sums", "progress", "verdict", "skips")
        members = dict(zip(names, addresses(arrays), strict=True))
        options = bytes(StepOptions(grad_scale, max_norm=max_norm, skip_nonfinite=skip_nonfinite))
        counts = {"count": len(self.addresses), "chunk_count": self.chunks}
        return Argument("NormArguments", self.dtype, options=options, **counts, **members).bytes

    def launch(self, shape, blocks, order=None, **options):
        """The verdict: norm, scale and whether the step applies."""
        compiled = kernels(self.dtype, shape)
        for kernel in filter(None, (compiled.norm, compiled.norm_scaled)):
            for block in range(blocks) if order is None else order:
                kernel(self.argument(**options), blocks, shape.block, block, block + 1)
        self.grads.assert_guards_untouched()
        assert (self.sums[[0, 1, -1, -2]] == GUARD).all()
        assert (self.progress[[0, -1]] == -7).all()
        assert (self.progress[1:3] == 0).all(), "not ready for the next launch"
        assert (self.verdict[[0, -1]] == -7).all()
        assert (self.skips[[0, 2]] == -7).all()
        return tuple(self.verdict[1:-1].view(STRUCTS[self.dtype]["NormVerdict"])[0])


def same_bits(actual, expected):
    return actual.tobytes() == np.asarray(expected, actual.dtype).tobytes()


@pytest.mark.parametrize("shape", [SMALL, DEFAULT], ids=["small", "default"])
@pytest.mark.parametrize("sizes", LISTS, ids=lambda sizes: f"{len(sizes)}-arrays-{sum(sizes)}")
@pytest.mark.parametrize("dtype", DTYPES)
def test_norm_equals_the_reference(sizes, shape, dtype):
    grads = [finite_values(size, k, dtype) for k, size in enumerate(sizes)]
    expected = reference.global_norm(grads)
    for offset in range(4 if len(sizes) < 100 else 1):  # the stand-in is slow where there are many chunks
        memory = Memory(grads, offset)
        for blocks in (1, 2 + offset, 40) if len(sizes) < 100 else (7,):
            assert same_bits(memory.launch(shape, blocks)[0], expected), (offset, blocks)


def test_blocks_may_finish_in_any_order():
    grads = [finite_values(size, size) for size in (5 * CHUNK, 3, 17 * CHUNK + 5)]
    expected, memory, rng = reference.global_norm(grads), Memory(grads), np.random.default_rng(0)
    for blocks in range(1, 30):
        assert same_bits(memory.launch(SMALL, blocks, rng.permutation(blocks).tolist())[0], expected)


@pytest.mark.parametrize("bad", [None, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("skip_nonfinite", [False, True])
def test_verdict_equals_the_reference(bad, skip_nonfinite):
    grads = [finite_values(size, size) * F32(1e-20) for size in (100, 3 * CHUNK)]
    if bad is not None:
        grads[1][1234] = bad
    memory, skipped = Memory(grads), 0
    with np.errstate(all="ignore"):
        total = reference.global_norm(grads)
    for grad_scale in (1.0, 0.5, -3.0, 0.0, 1e-300, 1e300):
        for max_norm in (1e-30, 1.0, abs(grad_scale) * total, np.inf):
            norm, scale, applies = memory.launch(SMALL, 3, **locals_of(grad_scale, max_norm, skip_nonfinite))
            with np.errstate(all="ignore"):
                wanted = abs(np.float64(grad_scale)) * total
                expected = F32(reference.clipping_scale(wanted, grad_scale, max_norm))
            assert same_bits(norm, wanted) or (np.isnan(norm) and np.isnan(wanted))
            assert same_bits(scale, expected) or (np.isnan(scale) and np.isnan(expected))
            assert applies == (not skip_nonfinite or bool(np.isfinite(total)))
            skipped += not applies
            assert memory.skips[1] == skipped


# Of float64: what elements are multiplied by, and those that are put among them.
EXTREMES = {
    "squares overflow": (1e200, []),
    "sums overflow": (2.0**505, []),
    "nearly": (2.0**490, []),
    "squares underflow": (1e-200, []),
    "subnormal": (2.0**-1050, []),
    "zeros": (0.0, []),
    "one is large": (1.0, [1.7e308]),
    "one is infinite": (1e200, [np.inf]),
    "one is NaN": (1e200, [np.nan]),
    "infinite and NaN": (1.0, [-np.inf, np.nan]),
    "the norm overflows": (1.0, [1.7e308, -1.7e308]),
    "least": (0.0, [5e-324]),
}


@pytest.mark.parametrize("what", EXTREMES)
def test_squares_that_float64_cannot_hold(what):
    """And the next norm, which knows nothing of it."""
    scale, some = EXTREMES[what]
    usual = [np.random.default_rng(k).standard_normal(size) for k, size in enumerate((5, 2 * CHUNK + 3, 1, 3000))]
    grads = [values * scale for values in usual]
    for k, value in enumerate(some):
        grads[1 + 2 * k][17 * k] = value
    memory = Memory(grads)
    with np.errstate(all="ignore"):
        expected = reference.global_norm(grads)
    for shape, blocks in ((SMALL, 1), (SMALL, 3), (DEFAULT, 2)):
        norm, _, applies = memory.launch(shape, blocks, skip_nonfinite=True)
        assert same_bits(norm, expected) or (np.isnan(norm) and np.isnan(expected))
        assert applies == np.isfinite(expected)
    for array, values in zip(memory.grads.arrays, usual, strict=True):
        array[...] = values
    assert same_bits(memory.launch(SMALL, 2)[0], reference.global_norm(usual))


def locals_of(grad_scale, max_norm, skip_nonfinite):
    return {"grad_scale": grad_scale, "max_norm": max_norm, "skip_nonfinite": skip_nonfinite}


def test_tables_are_written_when_gradients_change(host_gpu):
    sizes = [5, 0, 3 * CHUNK, 2]
    norm, verdict = Norm(sizes, "float32"), new_verdict("float32")
    first, second = ([on_gpu(finite_values(size, k + size)) for size in sizes] for k in range(2))
    for grads, missing, writes in [
        (first, (), 2),
        (first, (), 0),
        (second, (), 1),
        (second, (2,), 2),
        (first, (0, 1, 2, 3), 1),
    ]:
        host_gpu.launches.clear()
        where = [0 if i in missing else grad.data.ptr for i, grad in enumerate(grads)]
        at_once(norm.find(where, StepOptions(), address_of(verdict)))
        present = [on_cpu(grad) for i, grad in enumerate(grads) if i not in missing]
        assert same_bits(on_cpu(verdict)[0], reference.global_norm(present))
        launched = [launch.kernel for launch in host_gpu.launches]
        assert launched[-1] == "fastadam_norm"
        assert launched.count("fastadam_write") <= writes
        assert len(launched) <= writes + 1
