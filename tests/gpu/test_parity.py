"""The kernels on a GPU give the bits of the reference and of the CPU, whatever the sizes, options and alignments."""

import numpy as np
import pytest
from buffers import SPECIAL, assert_same_bits, random_inputs
from gpu.arrays import Guarded, to_cpu, to_gpu
from variants import VARIANTS, hyperparameters

import fastadam
from fastadam import _native
from fastadam.backends.cuda.source import SHAPE
from fastadam.backends.cuda.tensors import Tensors
from fastadam.optimizers.base import AS_GIVEN

pytestmark = pytest.mark.gpu

PASS = 4 * SHAPE.block * SHAPE.vectors  # elements that a block steps at a time
# How many floats after a 16-byte boundary each array starts: parameter, gradient, states.
ALIGNMENTS = [
    (0, 0, 0, 0, 0),
    (1, 1, 1, 1, 1),
    (3, 3, 3, 3, 3),
    (0, 1, 2, 3, 0),
    (1, 0, 0, 0, 0),
    (2, 3, 2, 2, 2),
    (3, 3, 3, 3, 0),
]
SIZES = [
    *range(40),
    *(edge + k for edge in (4 * SHAPE.block, PASS, SHAPE.chunk, 2 * SHAPE.chunk, 5 * SHAPE.chunk) for k in range(-5, 6)),
    1_000_003,
]


def step(tensors, changed, arrays, t):
    param, grad, *states = arrays
    tensors([param], [states], [1], [changed.rule], [t - 1]).step([grad], AS_GIVEN, 0)


def assert_parity(size, offsets, variant, k):
    changed, t = hyperparameters(variant, k)
    on_cpu = random_inputs(size, changed.states, seed=size)
    expected = [array.copy() for array in on_cpu]
    guarded = Guarded(on_cpu, offsets)
    step(Tensors, changed, guarded.arrays, t)
    step(_native.Tensors, changed, on_cpu, t)
    changed.reference(*expected, step=t)
    for role, (actual, wanted, cpu) in enumerate(zip(guarded.contents(), expected, on_cpu, strict=True)):
        where = f"in array {role}, size {size}, offsets {offsets}, {changed}, step {t}"
        assert_same_bits(actual, wanted, where)
        assert_same_bits(actual, cpu, f"{where}, beside the CPU")


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_steps_equal_the_reference(variant):
    """Each size and alignment appears, and each choice of hyperparameters, among the values all special ones."""
    for k, size in enumerate(SIZES):
        for offsets in (ALIGNMENTS[0], ALIGNMENTS[k % len(ALIGNMENTS)]):
            assert_parity(size, offsets, variant, k)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("offsets", ALIGNMENTS, ids=str)
def test_alignments_equal_the_reference(variant, offsets):
    for k, size in enumerate((1, 2, 3, 4, 5, 6, 7, 8, PASS + 1, SHAPE.chunk - 1, SHAPE.chunk + 3, 2 * SHAPE.chunk + 7)):
        assert_parity(size, offsets, variant, k)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (3, 5, 7), (129, 65)])
def test_arrays_of_any_shape(shape):
    size = int(np.prod(shape))
    inputs = [array.reshape(shape) for array in random_inputs(size, 2)]
    on_gpu = [to_gpu(array) for array in inputs]
    fastadam.adam_step(*on_gpu, step=3)
    fastadam.reference.adam_step(*inputs, step=3)
    for actual, expected in zip(on_gpu, inputs, strict=True):
        assert actual.shape == shape
        assert_same_bits(to_cpu(actual).reshape(-1), expected.reshape(-1))


def test_every_special_value_meets_every_other():
    inputs = [np.ascontiguousarray(axis).reshape(-1) for axis in np.meshgrid(*[SPECIAL] * 4, indexing="ij")]
    on_gpu = [to_gpu(array) for array in inputs]
    for t in (1, 2):
        fastadam.adam_step(*on_gpu, step=t, weight_decay=0.1)
        fastadam.reference.adam_step(*inputs, step=t, weight_decay=0.1)
        for actual, expected in zip(on_gpu, inputs, strict=True):
            assert_same_bits(to_cpu(actual), expected, f"in step {t}")
