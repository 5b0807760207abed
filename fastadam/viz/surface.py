"""A function of two variables with its gradient, where to start, and which region to draw."""

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
        The name on the command line, and the title of a picture.
    value : callable
        ``value(x, y)``, the loss.
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
        Standard deviation of the noise on each partial derivative in each step.
    steps : int
        Default number of steps of a race.
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
