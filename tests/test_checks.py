"""What each check takes and what it refuses, in which words; which hyperparameter has which is in test_hyperparameters.py."""

import math
from fractions import Fraction

import numpy as np
import pytest

from fastadam.optimizers import checks

NAN, INF = float("nan"), float("inf")
LARGEST_DECAY = 1 - 2.0**-24
# It lies halfway between LARGEST_DECAY and 1, and rounds to the even one of them, which is 1.
ROUNDS_TO_ONE = 1 - 2.0**-25

# The largest number that rounds to a float32, and those that do not, from the halfway point to 2**128 on.
LARGEST_FLOAT32 = np.nextafter(2.0**128 - 2.0**103, 0)
NOT_FINITE_IN_FLOAT32 = [2.0**128 - 2.0**103, 1e39, 1e300, 10**39, 10**300, np.float64(1e39), Fraction(10**39)]

NUMBERS = [0, 0.5, 1e-300, True, Fraction(1, 2), np.float64(0.5), np.float32(0.5), np.int64(0), np.array(0.5)]
NO_NUMBERS = ["0.1", b"0.1", bytearray(b"0.1"), None, 1j, [0.1], (0.1,), np.ones(2), lambda t: 0.1]
NO_DECAY_RATES = [1.0, 1, 1.5, -0.1, -1e-300, NAN, INF]

GOOD = {
    checks.non_negative: [*NUMBERS, 1e300],
    checks.positive: [*filter(None, NUMBERS), 1e300, INF],
    checks.real: [*NUMBERS, -1.0, -1e300],
    checks.decay_rate: [*(number for number in NUMBERS if number < 1), np.nextafter(1, 0)],
    checks.optional_decay_rate: [0, 0.5, np.nextafter(1, 0)],
}
BAD = [
    (checks.non_negative, "finite number >= 0", ValueError, [-1.0, -1e-300, NAN, INF, -INF]),
    (checks.positive, "number > 0, or None", ValueError, [0, 0.0, -0.0, -1.0, NAN, -INF]),
    (checks.real, "finite number", ValueError, [NAN, INF, -INF]),
    (checks.decay_rate, r"number in \[0, 1\)", ValueError, NO_DECAY_RATES),
    (checks.optional_decay_rate, r"number in \[0, 1\)", ValueError, NO_DECAY_RATES),
    (checks.optional_decay_rate, "real number", TypeError, [value for value in NO_NUMBERS if value is not None]),
    *[
        (check, "real number", TypeError, NO_NUMBERS)
        for check in (checks.non_negative, checks.positive, checks.real, checks.decay_rate)
    ],
    *[(check, "finite number", ValueError, [10**400, -(10**400)]) for check in GOOD],  # too large for a float
    (checks.beta_pair, "pair of numbers", TypeError, [0.9, (0.9,), (0.9, 0.99, 0.999), None, "ab", (), lambda t: (0.9, 0.9)]),
    (checks.flag, "True or False", TypeError, [0, 1, 1.0, None, "yes", "", np.int64(1), np.ones(1, np.bool_)]),
    (checks.flag_or_raise, "True, False or 'raise'", TypeError, [0, 1, None, "Raise", "", b"raise", np.ones(1, np.bool_)]),
    (checks.step_number, "at least 1", ValueError, [0, -1, -(2**63), 2**63, 2**70]),
    (checks.step_number, "integer of at least 1", TypeError, [1.0, "1", None, NAN]),
]


def name_of(value):
    return value.__name__ if callable(value) else None


@pytest.mark.parametrize("check", GOOD, ids=name_of)
def test_numbers_become_floats(check):
    for value in GOOD[check]:
        found = check("x", value)
        assert type(found) is float
        assert found == float(value)


@pytest.mark.parametrize(("check", "words", "error", "values"), BAD, ids=name_of)
def test_what_does_not_fit_is_refused_by_name(check, words, error, values):
    for value in values:
        with pytest.raises(error, match=f"expected .*{words}|{words}") as refused:
            check("some name", value)
        message = str(refused.value)
        assert message.startswith("some name is ")
        assert "; expected " in message
        assert repr(value) in message or isinstance(value, int)


@pytest.mark.parametrize("is_rate", [False, True])
def test_what_a_type_cannot_hold_is_refused_by_name(is_rate):
    bad = [(value, "finite in float32") for value in [*NOT_FINITE_IN_FLOAT32, *(-value for value in NOT_FINITE_IN_FLOAT32)]]
    bad += [(value, "at most 0.99999994") for value in (ROUNDS_TO_ONE, np.nextafter(1, 0))] if is_rate else []
    for value, words in bad:
        checks.expect_within("float64", "x", value, float(value), is_rate)
        for given, checked, name in ((value, float(value), "x"), ((0.5, value), (0.5, float(value)), "x[1]")):
            with pytest.raises(ValueError, match=f"expected .*{words}") as refused:
                checks.expect_within("float32", "x", given, checked, is_rate)
            assert str(refused.value).startswith(f"{name} is ")
    for value in (0.0, 0.5, LARGEST_DECAY, LARGEST_FLOAT32, -LARGEST_FLOAT32, 1.0, None, True, (0.5, LARGEST_DECAY)):
        if not (is_rate and value == 1.0):
            checks.expect_within("float32", "x", value, value, is_rate)
    checks.expect_within("float32", "x", ROUNDS_TO_ONE, ROUNDS_TO_ONE)


def test_minus_zero_becomes_zero():
    """It would be a number of its own in a repr and in the bits of a step, and 1 / -0.0 is -inf."""
    assert math.copysign(1, checks.non_negative("x", -0.0)) == 1


def test_a_pair_says_which_of_it_does_not_fit():
    for k in range(2):
        for value, words, error in [(1.0, "number in [0, 1)", ValueError), ("0.9", "real number", TypeError)]:
            pair = [0.5, 0.5]
            pair[k] = value
            with pytest.raises(error) as refused:
                checks.beta_pair("betas", pair)
            assert str(refused.value).startswith(f"betas[{k}] is {value!r}")
            assert words in str(refused.value)


def test_pairs_flags_counts_and_none():
    for pair in [(0.5, 0.25), [0.5, 0.25], np.array([0.5, 0.25]), iter([0.5, 0.25])]:
        assert checks.beta_pair("betas", pair) == (0.5, 0.25)
    for value in (True, False, np.True_, np.False_):
        assert checks.flag("x", value) is bool(value)
    for value in (1, 2**63 - 1, np.int32(7), True):
        assert checks.step_number("step", value) == value
    assert checks.optional_decay_rate("ema_decay", None) is None
