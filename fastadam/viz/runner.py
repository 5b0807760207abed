"""Sets up a race: checks the arguments, chooses learning rates and the region that is drawn."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from fastadam.optimizers.checks import flag, non_negative, real, step_number
from fastadam.viz.catalog import SURFACES
from fastadam.viz.methods import METHODS
from fastadam.viz.region import visited, with_start
from fastadam.viz.result import Race, check_output
from fastadam.viz.surface import Function, Point, Surface
from fastadam.viz.trajectory import best_rate


def race(
    function: str | Function,
    gradient: Function | None = None,
    *,
    start: Point | None = None,
    optimizers: Iterable[str] = tuple(METHODS),
    lr: float | Mapping[str, float] | None = None,
    steps: int | None = None,
    seed: int = 0,
    bias_correction: bool = True,
    region: tuple[Point, Point] | None = None,
    minima: Sequence[Point] = (),
    noise: float | None = None,
    title: str | None = None,
    output: str | PathLike[str] | None = None,
) -> Race:
    """Let several optimizers minimize the same function of two variables, from the same start.

    Each step is taken by a public optimizer, on an array of two float32.

    Parameters
    ----------
    function : str or callable
        A name among :data:`SURFACES`, or ``function(x, y)``, which returns a number.
    gradient : callable, optional
        ``gradient(x, y)``, which returns the two partial derivatives. Needed for your own function; named ones have theirs.
    start : (float, float), optional
        By default that of the surface, or (0, 0) for your own function.
    optimizers : iterable of str
        Names among :data:`METHODS`; by default all of them.
    lr : float or mapping from names to float, optional
        The learning rate of all optimizers, or of those named. An optimizer without one gets the one with the lowest mean loss
        over the race, among 1 and 3 of each decade from 1e-5 to 10.
    steps : int, optional
        Number of steps; by default that of the surface, or 120 for your own function.
    seed : int
        Of the noise, which is the same for all optimizers.
    bias_correction : bool
        Whether Adam, AMSGrad and AdamW correct the bias of their moments.
    region : ((float, float), (float, float)), optional
        What is drawn: least and greatest x, least and greatest y. By default that of the surface, enlarged if the start is
        outside. For your own function, it covers the paths as far as the loss is not above that at the start.
    minima : sequence of (float, float)
        Minima of your own function, to be marked.
    noise : float, optional
        Standard deviation of normal noise on each partial derivative in each step; by default that of the surface, or 0.
    title : str, optional
        Title of the picture.
    output : path, optional
        Where to write it; see :func:`save`.

    Returns
    -------
    Race
        Each optimizer's path, what happened inside each step, and a method `save`.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, or the function or its gradient is not finite at the start.
    ImportError, RuntimeError
        If plotly, matplotlib or ffmpeg is needed for `output` and missing.

    Examples
    --------
    >>> from fastadam.viz import race
    >>> result = race(lambda x, y: x**2 + y**2, lambda x, y: (2 * x, 2 * y), start=(3, 4), optimizers=["SGD", "Adam"], steps=50)
    >>> result.rates["SGD"], bool(result.trajectories["SGD"].values[-1] < 1e-12)
    (0.3, True)
    """
    names = _methods(optimizers)
    rates = _rates(lr, names)
    flag("bias_correction", bias_correction)
    _seed(seed)
    if output is not None:
        check_output(Path(output))
    given: dict[str, Any] = {
        "start": None if start is None else _pair("start", start),
        "steps": None if steps is None else step_number("steps", steps),
        "noise": None if noise is None else non_negative("noise", noise),
        "region": None if region is None else _region(region),
        "minima": tuple(_pair("minima", minimum) for minimum in minima) or None,
        "title": title,
    }
    surface = replace(_surface(function, gradient), **{name: value for name, value in given.items() if value is not None})
    _check_start(surface)
    best = {name: best_rate(surface, name, steps=surface.steps, seed=seed) for name in names if name not in rates}
    result = Race(surface, {name: (rates | best)[name] for name in names}, surface.steps, seed, bias_correction)
    drawn = visited(result) if callable(function) and region is None else surface.region
    result = replace(result, surface=replace(surface, region=with_start(drawn, surface.start)))
    if output is not None:
        result.save(output)
    return result


def _methods(optimizers: Iterable[str]) -> list[str]:
    names = [optimizers] if isinstance(optimizers, str) else list(optimizers)
    found = {name.lower(): name for name in METHODS}
    if unknown := [name for name in names if str(name).lower() not in found]:
        raise ValueError(f"optimizers has {unknown[0]!r}; expected names among {', '.join(METHODS)}")
    if not names:
        raise ValueError(f"optimizers is empty; expected names among {', '.join(METHODS)}")
    return list(dict.fromkeys(found[name.lower()] for name in names))


def _rates(lr: float | Mapping[str, float] | None, names: list[str]) -> dict[str, float]:
    if lr is None:
        return {}
    if not isinstance(lr, Mapping):
        return dict.fromkeys(names, _rate("lr", lr))
    rates = {_methods([name])[0]: _rate(f"lr[{name!r}]", value) for name, value in lr.items()}
    if unused := [name for name in rates if name not in names]:
        raise ValueError(f"lr has {unused[0]!r}, which does not take part; expected names among {', '.join(names)}")
    return rates


def _rate(name: str, value: Any) -> float:
    if not (rate := real(name, value)) > 0:
        raise ValueError(f"{name} is {value!r}; expected a learning rate above 0")
    return rate


def _seed(seed: Any) -> None:
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed is {seed!r}; expected an integer of at least 0")


def _pair(name: str, value: Any) -> Point:
    try:
        x, y = value
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {value!r}; expected a pair of numbers, x and y") from None
    return real(f"{name}[0]", x), real(f"{name}[1]", y)


def _region(value: Any) -> tuple[Point, Point]:
    try:
        edges = _pair("region[0]", value[0]), _pair("region[1]", value[1])
    except (TypeError, IndexError):
        edges = (0.0, 0.0), (0.0, 0.0)
    if not all(low < high for low, high in edges):
        raise ValueError(f"region is {value!r}; expected ((least x, greatest x), (least y, greatest y))")
    return edges


def _surface(function: Any, gradient: Any) -> Surface:
    """The surface of that name, or one made of the user's function."""
    if isinstance(function, str):
        if function not in SURFACES:
            raise ValueError(f"function is {function!r}; expected one of {', '.join(SURFACES)}, or function(x, y)")
        if gradient is not None:
            raise ValueError(f"gradient is given with the function {function!r}, which has its own; leave it out")
        return SURFACES[function]
    for name, value in (("function", function), ("gradient", gradient)):
        if not callable(value):
            raise TypeError(f"{name} is {value!r}; expected {name}(x, y)" + (" of your function" if name == "gradient" else ""))
    name = getattr(function, "__name__", "<lambda>")
    title = "A function" if name == "<lambda>" else name
    return Surface(title, title, function, gradient, start=(0.0, 0.0), region=((0.0, 0.0), (0.0, 0.0)))


def _check_start(surface: Surface) -> None:
    """Call the user's functions once, so that they raise their own errors, and do so before the race."""
    with np.errstate(all="ignore"):
        x, y = np.array(surface.start, np.float32).astype(np.float64)  # as the race rounds it
        loss, found = surface.value(x, y), surface.gradient(x, y)
    if np.shape(found) != (2,):
        raise ValueError(f"gradient returned {found!r} at {surface.start}; expected a pair, the derivatives by x and by y")
    if not (np.isfinite(found).all() and np.isfinite(loss)):
        raise ValueError(
            f"start is {surface.start}, where the function is {loss} and its gradient {np.array(found)}; expected a point "
            "where both are finite"
        )
