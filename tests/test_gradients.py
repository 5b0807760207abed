"""What a step does beside its rule: gradients scaled, clipped, missing or not finite, groups, and averages of parameters.

Everything has the bits of the references put together, on every instruction set and thread count.
"""

import math
import threading

import numpy as np
import pytest
from buffers import assert_same_bits
from refusals import F32
from stepping import PLAIN, Group, all_tensors, assert_parity, assert_same, reference_step, rule_of, step
from variants import ONE_OF_EACH, VARIANTS, Variant

from fastadam import _native, cpu
from fastadam.backend import GradientOptions

THREADS = [1, 2, 3, 8]
SERIAL_BELOW = 2 * _native.grain()
SIZES = (5, 0, 1, 16, 33, 1023, 1024, 1025, 4099, 2500)  # tiles have 1024 elements
TRANSFORMS = [
    GradientOptions(0.5),
    GradientOptions(-1e-3),
    GradientOptions(0.0),
    GradientOptions(1e30),  # which makes some of them infinite
    GradientOptions(clip_value=0.1),
    GradientOptions(0.3, 1e-40),
    GradientOptions(1 / 3, 0.01),
]
WITH_NORM = [
    GradientOptions(max_norm=0.5),
    GradientOptions(max_norm=1e9),  # which clips nothing
    GradientOptions(max_norm=math.inf),
    GradientOptions(skip_nonfinite=True),
    GradientOptions(1 / 3, 0.01, 0.7, True),
]
EMA_DECAYS = [None, 0.9, 0.0, 0.9999]

adam = Variant("adam", ())


@pytest.mark.parametrize("variant", ONE_OF_EACH, ids=str)
@pytest.mark.parametrize("ema_decay", [None, 0.99])
def test_transforms_and_averages_equal_the_reference(variant, ema_decay, isa, eager_threads):
    for k, options in enumerate([PLAIN, *TRANSFORMS]):
        assert_parity([Group.random(variant, SIZES, ema_decay, special=0.2, seed=k)], options, offset=k)
    for k, options in enumerate(WITH_NORM):
        assert_parity([Group.random(variant, SIZES, ema_decay, seed=k)], options, offset=k)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_every_variant_with_everything(variant, isa, eager_threads):
    assert_parity([Group.random(variant, (70, 1100), 0.99)], GradientOptions(1 / 3, 0.01, 0.7, True))


@pytest.mark.parametrize("options", [PLAIN, TRANSFORMS[-1], WITH_NORM[-1]], ids=str)
@pytest.mark.parametrize("ema_decay", EMA_DECAYS)
def test_large_steps_equal_the_reference(options, ema_decay, isa):
    for sizes in ([SERIAL_BELOW + 1], [SERIAL_BELOW - 7, 3, 200_003]):
        assert_parity([Group.random(adam, sizes, ema_decay)], options, THREADS, offset=5)


@pytest.mark.parametrize("offset", range(16))
def test_any_alignment(offset, isa, eager_threads):
    assert_parity([Group.random(adam, (5000, 1030), 0.9)], WITH_NORM[-1], offset=offset)


@pytest.mark.parametrize("ema_decay", EMA_DECAYS[1:])
def test_averages_equal_the_reference_over_many_steps(ema_decay, isa):
    groups = [Group.random(adam, (40, 3), ema_decay)]
    for tensor in all_tensors(groups):
        tensor.count = 0
    for t in range(1, 20):
        for k, tensor in enumerate(all_tensors(groups)):
            tensor.arrays[1][...] = np.random.default_rng([t, k]).standard_normal(tensor.arrays[1].size)
        expected = [group.copy() for group in groups]
        step(groups)
        reference_step(expected)
        assert_same(groups, expected)
        if t == 1:
            for tensor in all_tensors(groups):  # whatever it was before
                assert_same_bits(tensor.arrays[-1], tensor.arrays[0])


@pytest.mark.parametrize("ema_decay", [None, 0.9])
@pytest.mark.parametrize("options", [GradientOptions(clip_value=3e38), GradientOptions(max_norm=1e9)], ids=str)
def test_what_changes_no_gradient_gives_the_bits_of_a_plain_step(options, ema_decay, isa):
    groups = [Group.random(variant, SIZES, ema_decay) for variant in ONE_OF_EACH]
    plain = [group.copy() for group in groups]
    step(groups, options)
    step(plain)
    assert_same(groups, plain)


@pytest.mark.parametrize("threads", THREADS)
def test_groups_of_different_rules_are_stepped_in_one_call(threads, isa, eager_threads):
    kinds = [VARIANTS[0], *ONE_OF_EACH, VARIANTS[1]]
    groups = [Group.random(v, (100, 0, 37), 0.9 if k % 2 else None, seed=k) for k, v in enumerate(kinds)]
    groups.insert(2, Group(adam, []))
    for options in (PLAIN, WITH_NORM[-1]):
        assert_parity(groups, options, [threads])


@pytest.mark.parametrize("missing", [(0,), (1, 3), (0, 1, 2, 3)])
@pytest.mark.parametrize("options", [PLAIN, *WITH_NORM], ids=str)
def test_none_in_place_of_a_gradient_leaves_a_tensor_alone(missing, options, isa):
    groups = [Group.random(adam, (40, 3), 0.9), Group.random(ONE_OF_EACH[2], (2050, 7))]
    for i in missing:
        all_tensors(groups)[i].arrays[1] = None
    before = [group.copy() for group in groups]
    expected = assert_parity(groups, options)
    for i in missing:
        assert_same([Group(adam, [all_tensors(expected)[i]])], [Group(adam, [all_tensors(before)[i]])])
    if len(missing) == 4:
        assert step(groups, options) == (0.0 if options.needs_norm else None, 0)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize(("tensor", "element"), [(0, 0), (1, 1024), (1, 2999), (3, 36)])
@pytest.mark.parametrize("max_norm", [None, 1.0])
def test_a_gradient_that_is_not_finite_skips_the_step(value, tensor, element, max_norm, isa, eager_threads):
    groups = [Group.random(adam, (40, 3000), 0.9), Group.random(ONE_OF_EACH[-1], (0, 37))]
    all_tensors(groups)[tensor].arrays[1][element] = value
    before = [group.copy() for group in groups]
    for threads in THREADS:
        norm, skipped = step(groups, GradientOptions(0.5, 1.0, max_norm, True), threads)
        assert skipped == 1
        np.testing.assert_equal(norm, abs(value))
        assert_same(groups, before)
    all_tensors(groups)[tensor].arrays[1][element] = 1
    assert_parity(groups, GradientOptions(0.5, 1.0, max_norm, True))


@pytest.mark.parametrize("value", [math.inf, math.nan])
@pytest.mark.parametrize("options", [*TRANSFORMS, WITH_NORM[0]], ids=str)
def test_without_that_option_it_propagates(value, options, isa):
    groups = [Group.random(adam, (40, 3000))]
    groups[0].tensors[1].arrays[1][1500] = value
    assert_parity(groups, options)


def test_skipped_steps_are_counted():
    groups, skips, counts = Group.random(adam, (4,)), np.array([7], np.int64), np.array([3], np.int64)
    param, grad, *states = groups.tensors[0].arrays
    tensors, rule = cpu.tensors([param], [states], [1]), rule_of(adam, None)
    for value, taken, skipped in ((math.nan, 3, 8), (math.inf, 3, 9), (1.0, 4, 9), (math.nan, 4, 10)):
        grad[2] = value
        tensors.step([rule], [grad], counts, skips, GradientOptions(skip_nonfinite=True), 1)
        assert (counts[0], skips[0]) == (taken, skipped)


@pytest.mark.parametrize("options", [PLAIN, *WITH_NORM], ids=str)
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
    arrays, rule, counts, skips = np.ones((6, 5), F32), rule_of(adam, None), np.zeros(1, np.int64), np.zeros(1, np.int64)
    param, grad, *states = arrays
    for wrong in ([], states[:1], states[:3]):
        tensors = cpu.tensors([param], [wrong], [1])
        with pytest.raises(ValueError, match="states of its rule"):
            tensors.step([rule], [grad], counts, skips, PLAIN, 1)
    with pytest.raises(ValueError, match="more states than any rule"):
        cpu.tensors([param], [[*states, np.ones(5, F32)]], [1])
    for sizes in ([], [2], [1, 1]):
        with pytest.raises(ValueError, match="sizes of the groups"):
            cpu.tensors([param], [states[:2]], sizes)
    tensors = cpu.tensors([param], [states[:2]], [1])
    for rules, grads in (([], [grad]), ([rule] * 2, [grad]), ([rule], []), ([rule], [grad] * 2)):
        with pytest.raises(ValueError, match="a rule for each group and a gradient for each tensor"):
            tensors.step(rules, grads, counts, skips, PLAIN, 1)
    for wrong in (np.zeros(2, np.int64), np.zeros(1, np.int32), np.zeros(0, np.int64)):
        with pytest.raises(ValueError, match="expected counts"):
            tensors.step([rule], [grad], wrong, skips, PLAIN, 1)
        with pytest.raises(ValueError, match="expected counts"):
            tensors.step([rule], [grad], counts, wrong, PLAIN, 1)
    np.testing.assert_array_equal(arrays, 1)
    assert counts[0] == skips[0] == 0


def test_rules_know_their_average():
    plain, averaging = rule_of(adam, None), rule_of(adam, 0.9)
    assert (plain.ema_decay, averaging.ema_decay) == (None, 0.9)
    assert plain.average(1) == b""
    assert (plain.state_count, plain.coefficients(3)) == (averaging.state_count, averaging.coefficients(3))
    d, t = float(F32(0.9)), 7
    share = F32((1 - d) / (1 - math.prod([d] * t)))
    keep, actual = np.frombuffer(averaging.average(t), F32)
    assert actual == pytest.approx(share, rel=2.0**-23)  # the product is rounded in another order
    assert keep == F32(1) - actual


def test_python_threads_step_with_the_same_gradients_at_once(eager_threads):
    groups = [Group.random(adam, (70_001, 3, 5000), 0.9)]
    expected = assert_parity(groups, WITH_NORM[-1])
    results = {}

    def work(threads):
        mine = [group.copy() for group in groups]
        for tensor, shared in zip(all_tensors(mine), all_tensors(groups), strict=True):
            tensor.arrays[1] = shared.arrays[1]
        step(mine, WITH_NORM[-1], threads)
        results[threads] = mine

    workers = [threading.Thread(target=work, args=(count,)) for count in THREADS]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results.keys() == set(THREADS)
    for result in results.values():
        assert_same(result, expected)
