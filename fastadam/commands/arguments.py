"""The types of command line arguments: each function parses one, or says what it found and what it expected."""

import argparse
import math
from collections.abc import Iterable

MOST_STEPS = 2_000  # more would be slow to draw


def threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"found {text!r}; expected an integer from 1 to 65535")
    return int(text)


def seconds(text: str) -> float:
    seconds = _number(text)
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"found {text!r}; expected a number of seconds, at least 0")
    return seconds


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def finite(text: str) -> float:
    if not math.isfinite(number := _number(text)):
        raise argparse.ArgumentTypeError(f"found {text!r}; expected a finite number")
    return number


def steps(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_STEPS:
        raise argparse.ArgumentTypeError(f"found {text!r}; expected an integer from 1 to {MOST_STEPS}")
    return int(text)


def seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"found {text!r}; expected an integer of at least 0")
    return int(text)


def function(text: str) -> str:
    from fastadam.viz import SURFACES

    return _one_of(text, SURFACES)


def optimizer(text: str) -> str:
    from fastadam.viz import METHODS

    return _one_of(text, METHODS)


def _one_of(text: str, names: Iterable[str]) -> str:
    """The matching name; case does not matter."""
    found = {name.lower(): name for name in names}
    if text.lower() not in found:
        raise argparse.ArgumentTypeError(f"found {text!r}; expected one of {', '.join(found.values())}")
    return found[text.lower()]


def rate(text: str) -> tuple[str | None, float]:
    """A learning rate, and the name of the optimizer that it is for, if any."""
    name, equals, number = text.rpartition("=")
    if not 0 < (lr := _number(number)) < math.inf:
        raise argparse.ArgumentTypeError(f"found {text!r}; expected a number above 0, or a name and one, such as Adam=0.1")
    return optimizer(name) if equals else None, lr
