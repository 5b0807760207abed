"""The CPU backend's calls: what they refuse, what they keep alive, and several of them at once."""

import gc
import math
import threading
import weakref

import numpy as np
import pytest
from refusals import F32
from stepping import PLAIN, Group, all_tensors, assert_parity, assert_same, rule_of, step
from variants import Variant

from fastadam import _native, reference
from fastadam._native import StepOptions
from fastadam.backends import cpu

THREADS = [1, 2, 3, 8]
EVERYTHING = StepOptions(1 / 3, 0.01, 0.7, True)

adam = Variant("adam", ())


@pytest.mark.parametrize("options", [PLAIN, EVERYTHING], ids=str)
def test_a_refused_step_changes_nothing(options):
    """The last gradient lies in the last average, and no step count fits."""
    for reason in ("overlap", "step"):
        groups = [Group.random(adam, (40, 30), 0.9)]
        last = groups[0].tensors[-1]
        if reason == "overlap":
            last.arrays[1] = last.arrays[-1]
        else:
            last.count = 2**63 - 1
        before = [group.copy() for group in groups]
        with pytest.raises(_native.Refused) as refused:
            step(groups, options)
        assert refused.value.args[:2] == (reason, (1, 1) if reason == "overlap" else (0, 1))
        assert_same(groups, before)


def test_calls_that_do_not_fit_their_tensors_are_refused():
    """Which the public classes never make."""
    arrays, rule = np.ones((7, 5), F32), rule_of(adam, None)
    param, grad, *states = arrays
    for wrong in ([], states[:1], states[:3]):
        with pytest.raises(ValueError, match="the wrong states for its rule"):
            cpu.tensors([param], [wrong], [1], [rule], [0])
    with pytest.raises(ValueError, match="the wrong states for its rule"):
        cpu.tensors([param], [[*states, np.ones(5, F32)]], [1], [rule], [0])
    for sizes in ([], [2], [1, 1]):
        with pytest.raises(ValueError, match="sizes of the groups"):
            cpu.tensors([param], [states[:2]], sizes, [rule] * len(sizes), [0])
    for steps in ([], [0, 0]):
        with pytest.raises(ValueError, match="a step count for each tensor"):
            cpu.tensors([param], [states[:2]], [1], [rule], steps)
    for rules in ([], [rule] * 2):
        with pytest.raises(ValueError, match="a rule for each group"):
            cpu.tensors([param], [states[:2]], [1], rules, [0])
    tensors = cpu.tensors([param], [states[:2]], [1], [rule], [0])
    for rules, error in (([], ValueError), ([rule] * 2, ValueError), ([rule_of(adam, 0.9)], ValueError), ([None], TypeError)):
        with pytest.raises(error):
            tensors.set_rules(rules)
    for grads in ([], [grad] * 2):
        with pytest.raises(ValueError, match="a gradient for each tensor"):
            tensors.step(grads, PLAIN, 1)
    np.testing.assert_array_equal(arrays, 1)
    assert tensors.steps[0] == tensors.skips[0] == 0
    tensors.step([grad], PLAIN, 1)  # by the rule that it was made with
    assert tensors.steps[0] == 1


def test_counts_outlive_their_tensors():
    param, grad, *states = np.ones((4, 5), F32)
    tensors = cpu.tensors([param], [states], [1], [rule_of(adam, None)], [41])
    steps = tensors.steps
    tensors.step([grad], PLAIN, 1)
    del tensors
    gc.collect()
    assert steps.tolist() == [42]


@pytest.mark.parametrize("offset", range(16))
def test_states_lie_relative_to_cache_lines_as_their_parameter_does(offset):
    """A kernel starts where a line of the parameter does, and that of each state must do so too."""
    room = np.zeros(128, F32)
    param = room[-room.ctypes.data // 4 % 16 + offset :][:77].reshape(7, 11)
    param[...] = values = np.arange(77, dtype=F32).reshape(7, 11)
    states = cpu.full_like(param, (0.0, 0.5, None))
    param += 1  # which its copy does not follow
    for state, expected in zip(states, (0 * values, 0 * values + F32(0.5), values), strict=True):
        assert state.ctypes.data % 64 == param.ctypes.data % 64 == 4 * offset
        np.testing.assert_array_equal(state, expected)


def test_rules_know_their_average():
    plain, averaging = rule_of(adam, None), rule_of(adam, 0.9)
    assert (plain.ema_decay, averaging.ema_decay) == (None, 0.9)
    assert plain.states == averaging.states
    size = _native.cuda_structs("float32")["StepArguments"]["coefficients"]["average"].itemsize
    assert _native.cuda_coefficients(plain, 3)[:size] == bytes(size)
    assert _native.cuda_coefficients(plain, 3)[size:] == _native.cuda_coefficients(averaging, 3)[size:]
    d, t = float(F32(0.9)), 7
    share = F32((1 - d) / (1 - math.prod([d] * t)))
    keep, actual = np.frombuffer(_native.cuda_coefficients(averaging, t)[:size], F32)
    assert actual == pytest.approx(share, rel=2.0**-23)  # the product is rounded in another order
    assert keep == F32(1) - actual


class MadeOnDemand:
    """Exports a copy of its values that nothing else holds; those made before must still be alive."""

    def __init__(self, values, made):
        self._values, self._made = values, made

    def __dlpack_device__(self):
        return self._values.__dlpack_device__()

    def __dlpack__(self, **options):
        assert all(ref() is not None for ref in self._made), "freed too early"
        values = self._values.copy()
        self._made.append(weakref.ref(values))
        return values.__dlpack__(**options)


def test_gradients_exported_on_demand_live_until_the_call_is_over():
    groups, made = [Group.random(adam, (5, 1000, 7))], []
    expected = assert_parity(groups)
    grads = [tensor.arrays[1] for tensor in all_tensors(groups)]
    for tensor in all_tensors(groups):
        tensor.arrays[1] = MadeOnDemand(tensor.arrays[1], made)
    step(groups)
    assert len(made) == 3
    assert all(ref() is None for ref in made), "never freed"
    for tensor, grad in zip(all_tensors(groups), grads, strict=True):
        tensor.arrays[1] = grad
    assert_same(groups, expected)
    made.clear()
    assert cpu.global_norm([MadeOnDemand(grad, made) for grad in grads], 1) == reference.global_norm(grads)
    assert all(ref() is None for ref in made), "never freed"


def test_python_threads_step_with_the_same_gradients_at_once(eager_threads):
    groups = [Group.random(adam, (70_001, 3, 5000), 0.9)]
    expected = assert_parity(groups, EVERYTHING)
    results = {}

    def work(threads):
        mine = [group.copy() for group in groups]
        for tensor, shared in zip(all_tensors(mine), all_tensors(groups), strict=True):
            tensor.arrays[1] = shared.arrays[1]
        step(mine, EVERYTHING, threads)
        results[threads] = mine

    workers = [threading.Thread(target=work, args=(count,)) for count in THREADS]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results.keys() == set(THREADS)
    for result in results.values():
        assert_same(result, expected)
