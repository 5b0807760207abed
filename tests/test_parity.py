"""The main tests: every rule and option gives the bits of its reference, on every instruction set and thread count."""

import functools

import numpy as np
import pytest
from buffers import Guarded, assert_same_bits, random_inputs
from variants import BOTH_TYPES, hyperparameters

import fastadam
from fastadam import _native
from fastadam._native import StepOptions
from fastadam.backends import cpu

THREADS = [1, 2, 3, 8]
THOROUGH = ("adam", "adamw")  # rules for which every case is run with every thread count
SERIAL_BELOW = 2 * _native.grain()

every_variant = pytest.mark.parametrize("variant", BOTH_TYPES, ids=str)


def small_cases():
    """(size, offset, k): each size, each offset and, over the sizes, each choice of hyperparameters appears."""
    for size in range(131):
        yield size, (5 * size) % 16, size
        if size % 4 == 0:
            yield size, (5 * size + 8) % 16, size // 4
    for offset in range(16):
        yield 67, offset, offset
    for size in range(990, 1011):
        yield size, size % 16, size


def large_cases():
    for k, size in enumerate((SERIAL_BELOW - 1, SERIAL_BELOW, SERIAL_BELOW + 1, 1_000_003)):
        yield size, size % 16, k


def thread_counts(variant, k):
    """All of them; for most rules one thread and one other count, in turn: how work is divided knows nothing of rules."""
    return THREADS if variant.rule_name in THOROUGH and variant.dtype == "float32" else [1, THREADS[1 + k % 3]]


@functools.lru_cache(maxsize=512)  # enough for the cases of one variant, whose instruction sets and threads come in a row
def case(variant, size, k):
    """A changed variant, its step number, and arrays before and after that step of the reference."""
    changed, step = hyperparameters(variant, k)
    before = random_inputs(size, changed.states, seed=size, dtype=variant.dtype)
    after = [array.copy() for array in before]
    changed.reference(*after, step=step)
    return changed, step, before, after


def assert_parity(variant, size, offset, k, threads):
    changed, step, before, after = case(variant, size, k)
    guarded = Guarded(before, offset)
    param, grad, *states = guarded.arrays
    cpu.tensors([param], [states], [1], [changed.rule], [step - 1]).step([grad], StepOptions(), threads)
    for role, (actual, wanted) in enumerate(zip(guarded.arrays, after, strict=True)):
        context = f"in array {role} of {changed}, step {step}, size {size}, offset {offset}, {threads} threads"
        assert_same_bits(actual, wanted, context)
    guarded.assert_guards_untouched()


@every_variant
def test_small_steps_equal_the_reference(variant, isa, eager_threads):
    for i, (size, offset, k) in enumerate(small_cases()):
        for threads in thread_counts(variant, i):
            assert_parity(variant, size, offset, k, threads)


@every_variant
def test_large_steps_equal_the_reference(variant, isa):
    for size, offset, k in large_cases():
        for threads in thread_counts(variant, k):
            assert_parity(variant, size, offset, k, threads)
    case.cache_clear()  # these arrays are large


@every_variant
@pytest.mark.parametrize("threads", [1, 3])
def test_optimizer_equals_the_reference_over_many_steps(variant, isa, eager_threads, threads):
    """Through the class, over a list of tensors, the states carried from step to step."""
    sizes = [3, 0, 64, 1, 257]
    rng = np.random.default_rng(1)
    params = [rng.standard_normal(size).astype(variant.dtype) for size in sizes]
    optimizer = variant.make(params, lr=0.01)
    expected = [
        [param.copy(), None, *(array.copy() for name, array in state.items() if name != "step")]
        for param, state in zip(params, optimizer.state, strict=True)
    ]
    for t in range(1, 11):
        grads = [rng.standard_normal(size).astype(variant.dtype) for size in sizes]
        optimizer.step(grads, num_threads=threads)
        for arrays, grad in zip(expected, grads, strict=True):
            arrays[1] = grad
            variant.changed(lr=0.01).reference(*arrays, step=t)
    for param, state, (wanted, _, *moments) in zip(params, optimizer.state, expected, strict=True):
        assert_same_bits(param, wanted)
        assert state["step"] == 10
        for name, moment in zip([name for name in state if name != "step"], moments, strict=True):
            assert_same_bits(state[name], moment, name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stateless_step_equals_the_reference(isa, dtype):
    """adam_step, which is public, beside its namesake in the reference."""
    for arguments in ({}, {"maximize": True}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}):
        for states in (2, 3):
            arrays = random_inputs(1000, states, dtype=dtype)
            expected = [array.copy() for array in arrays]
            fastadam.adam_step(*arrays, step=7, **arguments)
            fastadam.reference.adam_step(*expected, step=7, **arguments)
            for actual, wanted in zip(arrays, expected, strict=True):
                assert_same_bits(actual, wanted)


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
