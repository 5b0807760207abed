"""One step on a device gives the bits of the reference and of the CPU, whatever the sizes, options and alignments.

On the CPU only one variant of each rule and few sizes: test_cuda_kernels.py runs the kernels themselves on all of them.
"""

import numpy as np
import pytest
from buffers import SPECIAL, SPECIAL_FLOAT64, assert_same_bits, random_inputs
from cuda_device import Guarded, Host
from variants import ONE_OF_EACH, VARIANTS, hyperparameters, of_both_types

import fastadam
from fastadam import _native
from fastadam.backends.cuda.source import SHAPE
from fastadam.backends.cuda.tensors import Tensors
from fastadam.optimizers.base import AS_GIVEN

PASS = 4 * SHAPE.block * SHAPE.vectors  # elements that a block steps at a time
# How many floats after a 16-byte boundary each array starts: parameter, gradient, states.
ALIGNMENTS = [
    (0, 0, 0, 0, 0, 0),
    (1, 1, 1, 1, 1, 1),
    (3, 3, 3, 3, 3, 3),
    (0, 1, 2, 3, 0, 2),
    (1, 0, 0, 0, 0, 0),
    (2, 3, 2, 2, 2, 2),
    (3, 3, 3, 3, 0, 3),
]
SIZES = [
    *range(40),
    *(edge + k for edge in (4 * SHAPE.block, PASS, SHAPE.chunk, 2 * SHAPE.chunk, 5 * SHAPE.chunk) for k in range(-5, 6)),
    1_000_003,
]
# Those at which each alignment is tried.
AT_ALL_ALIGNMENTS = (1, 2, 3, 4, 5, 6, 7, 8, PASS + 1, SHAPE.chunk - 1, SHAPE.chunk + 3, 2 * SHAPE.chunk + 7)
FEW_SIZES = [0, 1, 2, 3, 4, 5, 7, 31, 130, 1000, SHAPE.chunk - 1, SHAPE.chunk + 1]

everywhere = pytest.mark.parametrize(
    ("device", "variant"),
    [
        *(("host", v) for v in of_both_types(ONE_OF_EACH)),
        *(pytest.param("gpu", v, marks=pytest.mark.gpu) for v in of_both_types(VARIANTS)),
    ],
    indirect=["device"],
    ids=str,
)


def step(tensors, changed, arrays, t):
    param, grad, *states = arrays
    tensors([param], [states], [1], [changed.rule], [t - 1]).step([grad], AS_GIVEN, 0)


def assert_parity(device, size, offsets, variant, k):
    changed, t = hyperparameters(variant, k)
    on_cpu = random_inputs(size, changed.states, seed=size, dtype=variant.dtype)
    expected = [array.copy() for array in on_cpu]
    guarded = Guarded(device, on_cpu, offsets)
    step(Tensors, changed, guarded.arrays, t)
    step(_native.Tensors, changed, on_cpu, t)
    changed.reference(*expected, step=t)
    for role, (actual, wanted, cpu) in enumerate(zip(guarded.contents(), expected, on_cpu, strict=True)):
        where = f"in array {role}, size {size}, offsets {offsets}, {changed}, step {t}"
        assert_same_bits(actual, wanted, where)
        assert_same_bits(actual, cpu, f"{where}, beside the CPU")


@everywhere
def test_steps_equal_the_reference(device, variant):
    """Each size and alignment appears, and each choice of hyperparameters, among the values all special ones."""
    few = isinstance(device, Host)
    for k, size in enumerate(FEW_SIZES if few else SIZES):
        for offsets in {ALIGNMENTS[0], ALIGNMENTS[k % len(ALIGNMENTS)]}:
            assert_parity(device, size, offsets, variant, k)
    for offsets in () if few else ALIGNMENTS:
        for k, size in enumerate(AT_ALL_ALIGNMENTS):
            assert_parity(device, size, offsets, variant, k)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (3, 5, 7), (129, 65)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stateless_steps_of_arrays_of_any_shape(device, shape, dtype):
    inputs = [array.reshape(shape) for array in random_inputs(int(np.prod(shape)), 3, dtype=dtype)]
    arrays = [device.upload(array) for array in inputs]
    fastadam.adam_step(*arrays, step=3, weight_decay=0.1)
    fastadam.reference.adam_step(*inputs, step=3, weight_decay=0.1)
    for actual, expected in zip(arrays, inputs, strict=True):
        assert actual.shape == shape
        assert_same_bits(device.download(actual).reshape(-1), expected.reshape(-1))


@pytest.mark.parametrize("values", [SPECIAL, SPECIAL_FLOAT64], ids=["float32", "float64"])
def test_every_special_value_meets_every_other(device, values):
    inputs = [np.ascontiguousarray(axis).reshape(-1) for axis in np.meshgrid(*[values] * 4, indexing="ij")]
    arrays = [device.upload(array) for array in inputs]
    for t in (1, 2):
        fastadam.adam_step(*arrays, step=t, weight_decay=0.1)
        fastadam.reference.adam_step(*inputs, step=t, weight_decay=0.1)
        for actual, expected in zip(arrays, inputs, strict=True):
            assert_same_bits(device.download(actual), expected, f"in step {t}")
