"""Schedules: hyperparameters that are functions of the number of steps so far."""

from typing import Any

from fastadam.backends.devices import is_masked
from fastadam.backends.dtypes import DType
from fastadam.optimizers.hyperparameters import Declaring

# A schedule that ends at zero, such as 0.3 - 0.1 * t, may miss it by a rounding. What is below zero by no more is zero.
ROUNDING, ROUNDING_FLOAT32 = 1e-12, 1e-6


def is_schedule(kind: type[Declaring], name: str, value: Any) -> bool:
    """Whether `value` is a schedule of the hyperparameter `name`; not if that is only used once."""
    return callable(value) and not kind._declared[name].used_once


def plain(value: Any) -> Any:
    """A 0-d array or scalar of any library as a number of Python, also in a pair; anything else unchanged."""
    if type(value) in (tuple, list):
        return type(value)(map(plain, value))
    is_number = getattr(value, "shape", None) == () and hasattr(value, "item") and not is_masked(value)
    return value.item() if is_number else value


def _without_rounding(value: Any) -> Any:
    """A number of Python for a number of any library, zero if it is below that by rounding only; also in a pair."""
    if isinstance(value, tuple | list) or len(getattr(value, "shape", ())) == 1:
        return tuple(map(_without_rounding, value))
    size = getattr(getattr(value, "dtype", None), "itemsize", 8)
    number = plain(value)
    is_rounding = isinstance(number, float) and -(ROUNDING if size >= 8 else ROUNDING_FLOAT32) <= number <= 0.0
    return 0.0 if is_rounding else number


class Values:
    """The values of schedules after `count` steps. A schedule is asked once, however many groups have it."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._returned: dict[int, Any] = {}
        self._checked: dict[tuple[int, str], Any] = {}

    def of(self, kind: type[Declaring], name: str, schedule: Any, dtype: DType) -> Any:
        """The checked value of a schedule, which must stay alive."""
        key = id(schedule)
        if (key, name) not in self._checked:
            if key not in self._returned:
                self._returned[key] = schedule(self._count)
            value = self._returned[key]
            declared = kind._declared[name]
            value = _without_rounding(value) if declared.not_negative else plain(value)
            self._checked[key, name] = declared.checked(f"{name}({self._count})", value, dtype)
        return self._checked[key, name]
