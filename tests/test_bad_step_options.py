"""Invalid options of a step are refused and change nothing; options that have no effect change nothing either."""

import numpy as np
import pytest
from buffers import assert_same_bits
from refusals import F32, everything, refuses, trained

import fastadam

NAN, INF = float("nan"), float("inf")
# What the checks refuse is in test_checks.py; here, that each option has its own.
BAD = [
    ("grad_scale", INF, ValueError, "expected a finite number"),
    ("grad_scale", None, TypeError, "expected a real number"),
    ("clip_value", 0.0, ValueError, "expected a number > 0"),
    ("max_norm", 0.0, ValueError, "expected a number > 0"),
    ("skip_nonfinite", 1, TypeError, "expected True, False or 'raise'"),
    ("skip_nonfinite", "skip", TypeError, "expected True, False or 'raise'"),
    ("norm", -1e-300, ValueError, "expected what global_norm returns, at least 0 or NaN, or None"),
    ("norm", "1", TypeError, "expected a real number"),
]


@pytest.mark.parametrize(("name", "value", "error", "words"), BAD)
def test_a_bad_option_of_a_step_is_refused(name, value, error, words):
    optimizer, params, grads = trained()
    arrays = everything(optimizer, params)
    refuses(lambda: optimizer.step(grads, **{name: value}), error, (f"{name} is {value!r}", words), arrays, optimizer)
    assert optimizer.step_count == 1


@pytest.mark.parametrize(
    "options",
    [{"grad_scale": 1}, {"clip_value": INF}, {"max_norm": INF}, {"max_norm": 1e30}, {"skip_nonfinite": True}, {"norm": 0.0}],
)
def test_options_that_ask_for_nothing_give_the_bits_of_a_plain_step(options):
    optimizer, params, grads = trained()
    twin, twin_params, _ = trained()
    optimizer.step(grads, **options)
    assert twin.step(grads) is None
    for array, wanted in zip(everything(optimizer, params), everything(twin, twin_params), strict=True):
        if array.dtype == F32:
            assert_same_bits(array, wanted)


def test_what_a_step_returns():
    optimizer, _, grads = trained()
    norm = fastadam.global_norm(grads)
    for options, expected in [
        ({}, None),
        ({"grad_scale": 0.5}, None),
        ({"clip_value": 0.1}, None),
        ({"max_norm": 1e-3}, norm),
        ({"max_norm": INF}, norm),
        ({"skip_nonfinite": True}, norm),
        ({"max_norm": 1.0, "grad_scale": -2.0}, 2 * norm),
        ({"norm": 3}, 3.0),
        ({"norm": np.float32(3), "max_norm": 1.0, "grad_scale": -2.0}, 6.0),
    ]:
        assert optimizer.step(grads, **options) == expected
    assert np.isinf(optimizer.step([np.full(6, INF, F32)] * 3, skip_nonfinite=True))
    assert optimizer.skipped_steps == 1


def test_an_infinite_limit_changes_nothing_where_a_gradient_is_infinite():
    """Only the element itself becomes infinite; a finite limit multiplies all gradients by zero, and that one is NaN."""
    for max_norm, expected in [(INF, [0, -INF, -1]), (1.0, [1, NAN, 1])]:
        param = np.ones(3, F32)
        assert np.isinf(fastadam.SGD(param, lr=1.0).step(np.array([1, INF, 2], F32), max_norm=max_norm))
        np.testing.assert_array_equal(param, np.array(expected, F32))


@pytest.mark.parametrize("limit", [3.5e38, 1e300, INF])
def test_a_limit_beyond_float32_clips_nothing(limit):
    """Not an infinite element either, which the largest float32 would."""
    param = np.ones(3, F32)
    fastadam.SGD(param, lr=1.0).step(np.array([1, INF, -3.4e38], F32), clip_value=limit)
    np.testing.assert_array_equal(param, np.array([0, -INF, 3.4e38], F32))
