"""Checks of hyperparameters. Each returns the value as the rules use it, or raises an error that names the argument."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np

from fastadam.backends.devices import is_on_gpu
from fastadam.backends.dtypes import DType
from fastadam.plain_numbers import to_float, to_int

# The smallest number that rounds to infinity: halfway between the largest float32 and the power of two above it.
INFINITE_IN_FLOAT32 = 2.0**128 - 2.0**103

_Value = TypeVar("_Value")
# A value, or a schedule: a function that takes the number of steps so far and returns the value.
Scheduled: TypeAlias = _Value | Callable[[int], Any]


def non_negative(name: str, value: Any) -> float:
    """A finite real number >= 0."""
    number = _real(name, value)
    if not (0.0 <= number < math.inf):
        raise ValueError(f"{name} is {value!r}; expected a finite number >= 0")
    return number + 0.0  # turns -0.0 into 0.0


def positive(name: str, value: Any) -> float:
    """A real number > 0, possibly infinite."""
    number = _real(name, value)
    if not number > 0.0:
        raise ValueError(f"{name} is {value!r}; expected a number > 0, or None")
    return number


def known_norm(name: str, value: Any) -> float:
    """A norm, which is infinite or NaN if an element is."""
    if is_on_gpu(value):
        raise TypeError(
            f"{name} is an array on a GPU; expected a number that the CPU knows; pass float({name}), which waits for it"
        )
    number = _real(name, value)
    if number < 0.0:
        raise ValueError(f"{name} is {value!r}; expected what global_norm returns, at least 0 or NaN, or None")
    return number


def real(name: str, value: Any) -> float:
    """A finite real number."""
    number = _real(name, value)
    if not math.isfinite(number):
        raise ValueError(f"{name} is {value!r}; expected a finite number")
    return number


def beta_pair(name: str, value: Any) -> tuple[float, float]:
    """Two decay rates in [0, 1)."""
    try:
        pair = () if isinstance(value, str) else tuple(value)
    except TypeError:
        pair = ()
    if len(pair) != 2:
        raise TypeError(f"{name} is {value!r}; expected a pair of numbers in [0, 1), such as (0.9, 0.999)")
    return decay_rate(f"{name}[0]", pair[0]), decay_rate(f"{name}[1]", pair[1])


def decay_rate(name: str, value: Any) -> float:
    """A real number in [0, 1)."""
    number = _real(name, value)
    if not 0.0 <= number < 1.0:
        raise ValueError(f"{name} is {value!r}; expected a number in [0, 1)")
    return number


def optional_decay_rate(name: str, value: Any) -> float | None:
    """A decay rate, or None."""
    return None if value is None else decay_rate(name, value)


def flag(name: str, value: Any) -> bool:
    """A bool."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} is {value!r}; expected True or False")
    return bool(value)


def flag_or_raise(name: str, value: Any) -> tuple[bool, bool]:
    """A bool or "raise": whether there is to be any effect, and whether it is an error."""
    if isinstance(value, str) and value == "raise":
        return True, True
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} is {value!r}; expected True, False or 'raise'")
    return bool(value), False


def expect_decoupled(cautious: bool, decoupled: bool) -> None:
    """Raise an error if weight decay is to be cautious that is not decoupled."""
    if cautious and not decoupled:
        raise ValueError(
            "cautious_weight_decay is True with decoupled_weight_decay False; expected decoupled_weight_decay True as well: "
            "coupled decay is part of the gradient"
        )


def step_number(name: str, value: Any) -> int:
    """A step number: an integer >= 1."""
    try:
        number = to_int(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected an integer of at least 1") from None
    if not 1 <= number < 2**63:
        raise ValueError(f"{name} is {number}; expected at least 1 (the first step) and less than 2**63")
    return number


def expect_within(dtype: DType, name: str, value: Any, checked: Any, is_rate: bool = False) -> None:
    """Raise an error if a checked number is not finite, or a decay rate not below 1, in the type of the elements."""
    if dtype != "float32":
        return
    if isinstance(checked, tuple):
        for i, number in enumerate(checked):
            expect_within(dtype, f"{name}[{i}]", number, number, is_rate)
    elif isinstance(checked, float):
        if not abs(checked) < INFINITE_IN_FLOAT32:
            raise ValueError(f"{name} is {value!r}; expected a number that is finite in float32, at most 3.4028235e+38")
        if is_rate and np.float32(checked) == 1.0:
            raise ValueError(f"{name} is {value!r}, which rounds to 1 in float32; expected at most {1 - 2.0**-24!r}")


def _real(name: str, value: Any) -> float:
    try:
        return to_float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {value!r}; expected a real number") from None
    except OverflowError:
        raise ValueError(f"{name} is too large for a float; expected a finite number") from None
