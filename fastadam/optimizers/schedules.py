"""Schedules: hyperparameters that are functions of the number of steps so far."""

import functools
from typing import TYPE_CHECKING, Any

from fastadam import _native
from fastadam.backends.devices import is_masked
from fastadam.backends.dtypes import DType
from fastadam.optimizers.hyperparameters import Declaring

if TYPE_CHECKING:
    from fastadam.optimizers.param_groups import Group

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


def _checked(kind: type[Declaring], name: str, dtype: DType, returned: Any, count: int) -> Any:
    """The checked value of the hyperparameter `name` for what its schedule returned after `count` steps."""
    declared = kind._declared[name]
    value = _without_rounding(returned) if declared.not_negative else plain(returned)
    return declared.checked(f"{name}({count})", value, dtype)


class Schedules(_native.Schedules):
    """The schedules of groups. Each is asked once in a step, however many groups have it."""

    def __init__(self, groups: "list[Group]") -> None:
        self.values: tuple[Any, ...] | None = None  # those of the last step, which sets them as it is done
        self._uses: list[tuple[str, list[int]]] = []  # names, and numbers of groups
        self._noted: tuple[Any, list[Group]] = None, groups
        asks: list[tuple[Any, Any]] = []
        present = groups[0].hyperparameters
        by_schedule: dict[int, tuple[Any, dict[str, list[int]]]] = {}
        for i, group in enumerate(groups):
            for name, schedule in group.schedules.items():
                by_schedule.setdefault(id(schedule), (schedule, {}))[1].setdefault(name, []).append(i)
        for schedule, names in by_schedule.values():
            for name, numbers in names.items():
                self._uses.append((name, numbers))
                asks.append((schedule, functools.partial(_checked, present.kind, name, present.dtype)))
        self.asks = tuple(asks)  # for ask(asks, count): they are not kept there, where no garbage collector would find them
        super().__init__([group.hyperparameters.rule for group in groups], self._uses)

    @property
    def groups(self) -> "list[Group]":
        """The groups with the values of the last step."""
        values, groups = self._noted
        if (latest := self.values) is not values and latest is not None:
            groups = self.groups_by(latest)
            self._noted = latest, groups
        return groups

    def groups_by(self, values: tuple[Any, ...]) -> "list[Group]":
        """The groups with these values. Raises an error if they do not go together, or need other states."""
        _, groups = self._noted
        given: list[dict[str, Any]] = [{} for _ in groups]
        for (name, numbers), value in zip(self._uses, values, strict=True):
            for i in numbers:
                given[i][name] = value
        return [group.at(values) if values else group for group, values in zip(groups, given, strict=True)]
