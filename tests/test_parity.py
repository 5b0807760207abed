"""The heart: every instruction set, thread count and option gives the bits of the reference."""

import functools

import numpy as np
import pytest
from buffers import Guarded, assert_same_bits, random_inputs
from options import HYPERPARAMETERS, OPTIONS, describe, for_class, state_count, stateless

import fastadam
from fastadam import _native

THREADS = [1, 2, 3, 8]
SERIAL_BELOW = 2 * _native.grain()


def small_cases():
    """(size, offset, hyperparameters): each size, each offset and each set of hyperparameters appears."""
    for size in range(131):
        for k in range(2):
            yield size, (5 * size + 8 * k) % 16, HYPERPARAMETERS[(size + 4 * k) % len(HYPERPARAMETERS)]
    for offset in range(16):
        yield 67, offset, HYPERPARAMETERS[offset % len(HYPERPARAMETERS)]
    for hyperparameters in HYPERPARAMETERS:
        yield 130, 3, hyperparameters
    for size in range(990, 1011):
        yield size, size % 16, HYPERPARAMETERS[size % len(HYPERPARAMETERS)]


def large_cases():
    for size in (SERIAL_BELOW - 1, SERIAL_BELOW, SERIAL_BELOW + 1, 1_000_003):
        yield size, size % 16, HYPERPARAMETERS[size % len(HYPERPARAMETERS)]


@functools.cache
def expected_arrays(size, states, arguments):
    """What the reference makes of the inputs of this size; the cache serves all instruction sets and thread counts."""
    param, grad, *moments = arrays = random_inputs(size, states, seed=size)
    fastadam.reference.adam_step(param, grad, *moments, **dict(arguments))
    return arrays


def assert_parity(size, offset, options, hyperparameters, threads):
    arguments = hyperparameters | stateless(options)
    guarded = Guarded(random_inputs(size, state_count(options), seed=size), offset)
    param, grad, *states = guarded.arrays
    fastadam.adam_step(param, grad, *states, num_threads=threads, **arguments)
    expected = expected_arrays(size, state_count(options), tuple(arguments.items()))
    for name, actual, wanted in zip(("param", "grad", "m", "v", "max"), guarded.arrays, expected, strict=False):
        assert_same_bits(actual, wanted, f"in {name}, size {size}, offset {offset}, {arguments}")
    guarded.assert_guards_untouched()


@pytest.mark.parametrize("options", OPTIONS, ids=describe)
@pytest.mark.parametrize("threads", THREADS)
def test_small_steps_equal_the_reference(isa, eager_threads, threads, options):
    for size, offset, hyperparameters in small_cases():
        assert_parity(size, offset, options, hyperparameters, threads)


@pytest.mark.parametrize("options", OPTIONS, ids=describe)
@pytest.mark.parametrize("threads", THREADS)
def test_large_steps_equal_the_reference(isa, threads, options):
    for size, offset, hyperparameters in large_cases():
        assert_parity(size, offset, options, hyperparameters, threads)


@pytest.mark.parametrize("options", OPTIONS, ids=describe)
@pytest.mark.parametrize("threads", THREADS)
def test_optimizer_equals_the_reference_over_many_steps(isa, eager_threads, threads, options):
    """Through the classes, over a list of tensors, the states carried from step to step."""
    sizes = [3, 0, 64, 1, 257]
    rng = np.random.default_rng(1)
    params = [rng.standard_normal(size).astype(np.float32) for size in sizes]
    expected = [param.copy() for param in params]
    states = [[np.zeros_like(param) for _ in range(state_count(options))] for param in params]
    optimizer_class, arguments = for_class(options)
    optimizer = optimizer_class(params, lr=0.01, **arguments)
    for t in range(1, 51):
        grads = [rng.standard_normal(size).astype(np.float32) for size in sizes]
        optimizer.step(grads, num_threads=threads)
        for param, grad, state in zip(expected, grads, states, strict=True):
            fastadam.reference.adam_step(param, grad, *state, step=t, lr=0.01, **stateless(options))
    for i, (param, state) in enumerate(zip(expected, states, strict=True)):
        assert_same_bits(params[i], param)
        assert optimizer.state[i]["step"] == 50
        for name, moment in zip(("exp_avg", "exp_avg_sq", "max_exp_avg_sq"), state, strict=False):
            assert_same_bits(optimizer.state[i][name], moment, name)


def test_step_counts_may_differ_between_tensors():
    """Each tensor's bias correction is that of its own count, which users may set."""
    params = [np.ones(5, np.float32) for _ in range(4)]
    grads = [np.full(5, 0.25, np.float32) for _ in params]
    optimizer = fastadam.Adam(params)
    counts = [0, 7, 7, 999]
    for state, count in zip(optimizer.state, counts, strict=True):
        state["step"][...] = count
    optimizer.step(grads)
    for param, grad, state, count in zip(params, grads, optimizer.state, counts, strict=True):
        assert state["step"] == count + 1
        expected, *moments = np.ones(5, np.float32), np.zeros(5, np.float32), np.zeros(5, np.float32)
        fastadam.reference.adam_step(expected, grad, *moments, step=count + 1)
        assert_same_bits(param, expected)
