"""Numbers of any library as those of Python. What only looks like a number raises TypeError."""

import operator
from typing import Any

from fastadam.backends.devices import is_masked


def to_float(value: Any) -> float:
    """A real number. Raises OverflowError for an integer beyond float64."""
    if isinstance(value, str | bytes | bytearray):  # float() would parse them
        raise TypeError
    _refuse_masked(value)
    return float(value)


def to_int(value: Any) -> int:
    """An integer."""
    _refuse_masked(value)
    return operator.index(value)


def _refuse_masked(value: Any) -> None:
    """NumPy gives what lies under a mask, or nan, for a masked number."""
    if is_masked(value):
        raise TypeError
