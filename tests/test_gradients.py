"""What a step does besides its rule: gradients scaled, clipped, missing or not finite, groups, and averages of parameters.

All results have the bits of the combined references, on every instruction set and thread count.
"""

import math

import numpy as np
import pytest
from buffers import assert_same_bits
from stepping import PLAIN, Group, all_tensors, assert_parity, assert_same, reference_step, rule_of, step
from variants import BOTH_TYPES, ONE_OF_EACH, VARIANTS, Variant, of_both_types

from fastadam import _native
from fastadam._native import StepOptions
from fastadam.backends import cpu

THREADS = [1, 2, 3, 8]
SERIAL_BELOW = 2 * _native.grain()
SIZES = (5, 0, 1, 16, 33, 1023, 1024, 1025, 4099, 2500)  # tiles have 1024 elements of float32, 512 of float64
TRANSFORMS = [
    StepOptions(0.5),
    StepOptions(-1e-3),
    StepOptions(0.0),
    StepOptions(1e30),  # which makes some of them infinite
    StepOptions(clip_value=0.1),
    StepOptions(0.3, 1e-40),
    StepOptions(1 / 3, 0.01),
]
WITH_NORM = [
    StepOptions(max_norm=0.5),
    StepOptions(max_norm=1e9),  # which clips nothing
    StepOptions(max_norm=math.inf),
    StepOptions(skip_nonfinite=True),
    StepOptions(1 / 3, 0.01, 0.7, True, norm=1e3),  # as if there were other gradients too
    StepOptions(max_norm=0.5, norm=0.25),
    StepOptions(norm=math.nan),
    StepOptions(max_norm=0.5, skip_nonfinite=True, norm=math.inf),
    StepOptions(1 / 3, 0.01, 0.7, True),
]
EMA_DECAYS = [None, 0.9, 0.0, 0.9999]

adam = Variant("adam", ())


@pytest.mark.parametrize("variant", of_both_types(ONE_OF_EACH), ids=str)
@pytest.mark.parametrize("ema_decay", [None, 0.99])
def test_transforms_and_averages_equal_the_reference(variant, ema_decay, isa, eager_threads):
    for k, options in enumerate([PLAIN, *TRANSFORMS]):
        assert_parity([Group.random(variant, SIZES, ema_decay, special=0.2, seed=k)], options, offset=k)
    for k, options in enumerate(WITH_NORM):
        assert_parity([Group.random(variant, SIZES, ema_decay, seed=k)], options, offset=k)


@pytest.mark.parametrize("variant", BOTH_TYPES, ids=str)
def test_every_variant_with_everything(variant, isa, eager_threads):
    assert_parity([Group.random(variant, (70, 1100), 0.99)], StepOptions(1 / 3, 0.01, 0.7, True))


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
@pytest.mark.parametrize("options", [StepOptions(clip_value=3e38), StepOptions(max_norm=1e9)], ids=str)
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
    if len(missing) == 4 and not options.knows_norm:
        assert step(groups, options) == (0.0 if options.finds_norm else None, 0)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize(("tensor", "element"), [(0, 0), (1, 1024), (1, 2999), (3, 36)])
@pytest.mark.parametrize("max_norm", [None, 1.0])
def test_a_gradient_that_is_not_finite_skips_the_step(value, tensor, element, max_norm, isa, eager_threads):
    groups = [Group.random(adam, (40, 3000), 0.9), Group.random(ONE_OF_EACH[-1], (0, 37))]
    all_tensors(groups)[tensor].arrays[1][element] = value
    before = [group.copy() for group in groups]
    for threads in THREADS:
        norm, skipped = step(groups, StepOptions(0.5, 1.0, max_norm, True), threads)
        assert skipped == 1
        np.testing.assert_equal(norm, abs(value))
        assert_same(groups, before)
    all_tensors(groups)[tensor].arrays[1][element] = 1
    assert_parity(groups, StepOptions(0.5, 1.0, max_norm, True))


@pytest.mark.parametrize("value", [math.inf, math.nan])
@pytest.mark.parametrize("options", [*TRANSFORMS, WITH_NORM[0]], ids=str)
def test_without_that_option_it_propagates(value, options, isa):
    groups = [Group.random(adam, (40, 3000))]
    groups[0].tensors[1].arrays[1][1500] = value
    assert_parity(groups, options)


def test_skipped_steps_are_counted():
    groups = Group.random(adam, (4,))
    param, grad, *states = groups.tensors[0].arrays
    tensors = cpu.tensors([param], [states], [1], [rule_of(adam, None)], [3])
    tensors.skips[...] = 7
    for value, taken, skipped in ((math.nan, 3, 8), (math.inf, 3, 9), (1.0, 4, 9), (math.nan, 4, 10)):
        grad[2] = value
        tensors.step([grad], StepOptions(skip_nonfinite=True), 1)
        assert (tensors.steps[0], tensors.skips[0]) == (taken, skipped)
