"""What a race is over: a function of two variables with its analytic gradient, from where to start, and what is drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Point: TypeAlias = tuple[float, float]
Function: TypeAlias = Callable[[Any, Any], Any]  # of x and y, which are numbers or arrays


@dataclass(frozen=True)
class Surface:
    """A function of two variables to be minimized.

    Attributes
    ----------
    name, title : str
        As on the command line, and as over a picture.
    value : callable
        ``value(x, y)``, the height.
    gradient : callable
        ``gradient(x, y)``, a pair of partial derivatives.
    start : (float, float)
        Where every method starts.
    region : ((float, float), (float, float))
        What is drawn: least and greatest x, least and greatest y.
    minima : tuple of (float, float)
        All global minima.
    shows : str
        What to look at.
    source : str
        Where it is from.
    noise : float
        Standard deviation of what is added to each partial derivative in each step.
    steps : int
        How many steps of a race show it.
    """

    name: str
    title: str
    value: Function
    gradient: Function
    start: Point
    region: tuple[Point, Point]
    minima: tuple[Point, ...] = ()
    shows: str = ""
    source: str = ""
    noise: float = 0.0
    steps: int = 120
