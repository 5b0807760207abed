"""Calls that Ctrl-C does not come between."""

import itertools
import operator
from collections.abc import Iterable
from typing import Any, TypeAlias

Call: TypeAlias = tuple[Any, ...]  # a function, and its arguments


def at_once(calls: Iterable[Call]) -> list[Any]:
    """Make all the calls, or those before the first that raises. Returns what they return.

    The functions must be written in C: Python looks for signals only between the instructions that it interprets.
    """
    return list(itertools.starmap(operator.call, calls))
