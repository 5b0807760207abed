"""The CUDA kernels themselves, run by the CPU on NumPy's memory: for every variant, size, alignment, grid and list of tensors
they give the reference's bits and write nowhere else."""

import functools
import itertools

import numpy as np
import pytest
from buffers import Guarded, assert_same_bits, random_inputs
from cuda_variants import DEFAULT, SMALL, List, advance_argument, capturable_argument, kernels, list_argument, step_argument
from variants import BOTH_TYPES, ONE_OF_EACH, VARIANTS, Variant, of_both_types

from fastadam import _native
from fastadam.at_once import at_once
from fastadam.backends.cuda import launch
from fastadam.backends.cuda.launch import MOST_WORDS, STRUCTS

cuda_host = pytest.importorskip("cuda_host", reason="needs CuPy (but no GPU): pip install cupy-cuda13x")

SIZES = [*range(20), 127, 128, 129, 255, 256, 257, 510, 511, 512, 513, 514, 515, 516, 767, 1023, 1025, 1028, 2047, 4099]
LARGE_SIZES = [1023, 1024, 1025, 2048, 4097, 8191, 8192, 8193, 8195, 24_583]
LIST_SIZES = [3, 0, 512, 1, 1025, 0, 511, 2049, 4]
ODD = [  # hyperparameters whose coefficients are special
    Variant(name, tuple(options.items()))
    for name, options in [
        ("adam", {"eps": 1e-44}),  # subnormal, and more so after the bias correction
        ("adam", {"eps": 1e-38}),
        ("adam", {"eps": 0.0, "lr": 0.0}),
        ("adam", {"lr": 1e-40, "weight_decay": 1e-41}),
        ("adamw", {"lr": 1e30, "weight_decay": 1e30}),
        ("adam", {"betas": (0.0, 0.0)}),
        ("adam", {"betas": (1 - 2.0**-24, 1 - 2.0**-24)}),
        ("adam", {"betas": (0.3, 1e-45)}),
        ("nadam", {"momentum_decay": 100.0}),
        ("radam", {"betas": (0.9, 0.3)}),
    ]
]
STEPS = [1, 2, 3, 1000, 10**5, 2**40]


def rule_offset(variant):
    """Where those of the rule are in the coefficients of a step."""
    return STRUCTS[variant.dtype]["StepArguments"]["coefficients"].fields["rule"][1]


def coefficients(variant, step):
    """Those of the rule alone."""
    return _native.cuda_coefficients(variant.rule, step)[rule_offset(variant) :]


@functools.cache
def before_and_after(variant, step):
    """Arrays before and after a step. An update knows one element only, so their beginnings serve smaller sizes."""
    before = random_inputs(max(LARGE_SIZES), variant.states, dtype=variant.dtype)
    after = [array.copy() for array in before]
    variant.reference(*after, step=step)
    return before, after


def guarded_arrays(variant, size, misalignments):
    before, _ = before_and_after(variant, 3)
    return [Guarded([array[:size]], offset) for array, offset in zip(before, misalignments, strict=True)]


def assert_equal(guarded, expected, context):
    for k, (one, wanted) in enumerate(zip(guarded, expected, strict=True)):
        assert_same_bits(one.arrays[0], wanted[: one.arrays[0].size], f"in array {k}, {context}")
        one.assert_guards_untouched()


def check_step(variant, size, misalignments, blocks, shape=SMALL, order=None):
    """A launch of `blocks` blocks, in some order, on arrays so many floats after a boundary."""
    guarded = guarded_arrays(variant, size, misalignments)
    argument = step_argument(variant, [one.arrays[0] for one in guarded], 3).bytes
    for block in range(blocks) if order is None else order:
        kernels(variant.key, shape).step(argument, blocks, shape.block, block, block + 1)
    context = f"size {size}, misalignments {misalignments}, {blocks} blocks"
    assert_equal(guarded, before_and_after(variant, 3)[1], context)


def grids(size, shape):
    chunks = max(1, -(-size // shape.chunk))
    return [1, 2, 3, chunks, chunks + 5]


@pytest.mark.parametrize("apart", [0, 1], ids=["alike", "differently"])
@pytest.mark.parametrize("variant", of_both_types(ONE_OF_EACH[:1]), ids=str)
def test_every_size(apart, variant):
    for size in range(4100):
        misalignments = [(size // 4 + apart * k * (1 + size % 3)) % 4 for k in range(variant.arrays)]
        check_step(variant, size, misalignments, grids(size, SMALL)[size % 5])


@pytest.mark.parametrize("shape", [SMALL, DEFAULT], ids=["small", "default"])
@pytest.mark.parametrize("variant", BOTH_TYPES, ids=str)
def test_every_variant(variant, shape):
    for i, size in enumerate(SIZES if shape == SMALL else LARGE_SIZES):
        for first in range(4):
            check_step(variant, size, [first] * variant.arrays, grids(size, shape)[(i + first) % 5], shape)
        check_step(variant, size, [(i + k) % 4 for k in range(variant.arrays)], grids(size, shape)[i % 5], shape)


@pytest.mark.parametrize("variant", of_both_types([VARIANTS[0], ONE_OF_EACH[0]]), ids=str)
def test_every_alignment(variant):
    for i, misalignments in enumerate(itertools.product(range(4), repeat=variant.arrays)):
        check_step(variant, [7, 2 * SMALL.chunk + 13][i % 5 == 0], misalignments, 1 + i % 3)
        check_step(variant, 130, misalignments, 1)


def test_every_grid_in_any_order_of_blocks():
    variant, rng = VARIANTS[0], np.random.default_rng(0)
    for size, misalignment in itertools.product([511, 512, 1536, 4096, 4099], [0, 3]):
        for blocks in range(1, 14):
            check_step(variant, size, [misalignment] * variant.arrays, blocks, order=rng.permutation(blocks).tolist())


def guarded_tensors(variant):
    misalignments = [[(i + k * (i % 3)) % 4 for k in range(variant.arrays)] for i in range(len(LIST_SIZES))]
    return [guarded_arrays(variant, size, each) for size, each in zip(LIST_SIZES, misalignments, strict=True)]


@pytest.mark.parametrize("shape", [SMALL, DEFAULT], ids=["small", "default"])
@pytest.mark.parametrize("variant", BOTH_TYPES, ids=str)
def test_list(variant, shape):
    for blocks, skipped in itertools.product([1, 2, 7, 40], [(), (0,), (2, 5, 8), range(len(LIST_SIZES))]):
        tensors = guarded_tensors(variant)
        table = List([[one.arrays[0] for one in guarded] for guarded in tensors], shape, skipped)
        kernels(variant.key, shape).step_list(list_argument(variant, table, 3).bytes, blocks, shape.block)
        for i, guarded in enumerate(tensors):
            assert_equal(guarded, before_and_after(variant, 3)[i not in skipped], f"{i}, {blocks} blocks, without {skipped}")


def advance(variant, steps, blocks, grads=None, shape=SMALL):
    """Advances the step counts; the coefficients of each, as the device keeps them, and what lies behind the last."""
    step_bytes = len(_native.cuda_coefficients(variant.rule, 1))
    room = np.full(len(steps) * step_bytes + 64, 0xCD, np.uint8)
    grads = np.ones(len(steps), np.int64) if grads is None else grads
    argument, _options = advance_argument(variant, grads, steps, room, len(steps))
    kernels(variant.key, shape).advance(argument.bytes, blocks, shape.block)
    assert (room[len(steps) * step_bytes :] == 0xCD).all()
    return room, step_bytes


@pytest.mark.parametrize("variant", BOTH_TYPES, ids=str)
def test_capturable_list(variant):
    """Several steps, all tensors at step counts of their own."""
    tensors = guarded_tensors(variant)
    expected = [[one.arrays[0].copy() for one in guarded] for guarded in tensors]
    table = List([[one.arrays[0] for one in guarded] for guarded in tensors], SMALL, skipped=(4,))
    steps = np.array([0, 1, 2, 0, 7, 999, 10**5, 2**33, 2], np.int64)
    for blocks in (1, 3, 50):
        room, _ = advance(variant, steps, blocks, table.grads)
        kernels(variant.key).step_capturable(capturable_argument(variant, table, room).bytes, blocks, SMALL.block)
        for i, (guarded, arrays) in enumerate(zip(tensors, expected, strict=True)):
            if i != 4:
                variant.reference(*arrays, step=int(steps[i]))
            assert_equal(guarded, arrays, f"tensor {i}, step {steps[i]}")
    assert steps.tolist() == [3, 4, 5, 3, 7, 1002, 10**5 + 3, 2**33 + 3, 5]


@pytest.mark.parametrize("variant", BOTH_TYPES + ODD, ids=str)
def test_coefficients_equal_the_host_s(variant):
    for count, blocks in itertools.product([0, 1, 31, 32, 33, 100], [1, 2, 9]):
        wanted = np.resize(np.array(STEPS, np.int64), count)
        steps = wanted - 1
        room, step_bytes = advance(variant, steps, blocks)
        assert steps.tolist() == wanted.tolist()
        host = np.frombuffer(b"".join(coefficients(variant, step) for step in steps.tolist()), variant.dtype)
        device = room[: count * step_bytes].reshape(count, step_bytes)[:, rule_offset(variant) :]
        assert_same_bits(device.reshape(-1).view(variant.dtype), host)


def test_odd_hyperparameters_give_odd_coefficients():
    """A subnormal epsilon among them, so that the test above is worth something."""
    odd = np.array([np.frombuffer(coefficients(variant, 3), np.float32) for variant in ODD[:8]])
    assert ((odd != 0) & (abs(odd) < np.finfo(np.float32).smallest_normal)).any()
    assert np.isinf(odd).any()


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
@pytest.mark.parametrize("count", [0, 1, 31, 256, 257, *(MOST_WORDS + k for k in (-1, 0, 1)), 2 * MOST_WORDS + 3])
def test_write(host_gpu, count, dtype):
    write, launches = kernels(VARIANTS[0].key, DEFAULT).write, []

    def kernel(grid, block, arguments):
        launches.append(arguments[0].nbytes)
        write(arguments[0], *grid, *block)

    room = cuda_host.on_gpu(np.full(count + 2, -1, dtype))
    values = np.random.default_rng(0).integers(-(2**63), 2**63, count).view(dtype)
    at_once(launch.writes(kernel, room[1 : 1 + count], values))
    expected = np.concatenate([[-1], values, [-1]]).astype(dtype)
    assert cuda_host.on_cpu(room).tobytes() == expected.tobytes()
    assert len(launches) == -(-count // MOST_WORDS)
    assert max(launches, default=0) <= 4096  # the most that kernels of older architectures take
