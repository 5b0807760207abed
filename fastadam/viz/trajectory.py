"""Minimizes a function with one of the public optimizers, and records the path and what happens inside each step."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastadam.viz.methods import METHODS, Method
from fastadam.viz.surface import Surface

# What happens inside a step, in order: its names here and on the page.
QUANTITIES = ("gradient", "m", "v", "corrected m", "corrected v", "step", "effective lr")
UNDEFINED = (ArithmeticError, ValueError)  # what functions of `math` raise where those of NumPy return infinity or NaN
RATES = (*(float(f"{digit}e{exponent}") for exponent in range(-5, 1) for digit in (1, 3)), 10.0)


@dataclass(frozen=True)
class Trajectory:
    """The path of one method over one surface.

    All methods follow one formula, as in algorithm 1 of Reddi, Kale & Kumar, "On the Convergence of Adam and Beyond", 2018. A
    step is minus the effective learning rate times the corrected m; AdamW adds its weight decay. The effective learning rate is
    lr / (sqrt(corrected v) + eps). For a method without a first moment, m is the gradient. For one without a second moment, v
    is 1 and the effective learning rate is lr.

    Attributes
    ----------
    method : str
        A key of :data:`fastadam.viz.METHODS`.
    lr : float
        Its learning rate.
    bias_correction : bool
        Whether Adam, AMSGrad and AdamW corrected the bias of their moments.
    positions : (steps + 1, 2) float32 array
        The start, and the position after each step; NaN once it has overflowed float32.
    values : (steps + 1,) float64 array
        The loss at each position.
    inside : dict of (steps, 2) float64 arrays
        The values of each of the `QUANTITIES` in each step, for x and y.
    """

    method: str
    lr: float
    bias_correction: bool
    positions: NDArray[np.float32]
    values: NDArray[np.float64]
    inside: dict[str, NDArray[np.float64]]


def trajectory(
    surface: Surface, method: str, lr: float, *, steps: int, seed: int = 0, bias_correction: bool = True
) -> Trajectory:
    """The path of a method from the surface's start. `seed` is that of the noise, which is the same for all methods."""
    positions, rows = [_start(surface)], []
    walk = _walk(surface, METHODS[method], lr, steps, seed, bias_correction)
    with np.errstate(all="ignore"):
        for count, (gradient, param, state) in enumerate(walk, 1):
            step = np.subtract(param, positions[-1], dtype=np.float64)
            rows.append(_inside(METHODS[method], lr, bias_correction, count, gradient.astype(np.float64), step, state))
            positions.append(param.copy())
    inside: dict[str, NDArray[np.float64]] = dict(zip(QUANTITIES, np.array(rows).transpose(1, 0, 2), strict=True))
    return Trajectory(method, lr, bias_correction, np.array(positions), losses(surface, positions), inside)


def best_rate(surface: Surface, method: str, *, steps: int, seed: int = 0) -> float:
    """The learning rate among `RATES` (1 and 3 of each decade) with the lowest mean loss.

    The mean over all steps depends less on luck in the last few steps than the final loss does.
    """

    def mean_loss(lr: float) -> float:
        walk = _walk(surface, METHODS[method], lr, steps, seed, bias_correction=True)
        mean = float(np.mean(losses(surface, [param.copy() for _, param, _ in walk])))
        return mean if math.isfinite(mean) else math.inf

    return min(RATES, key=mean_loss)


def gradient_at(surface: Surface, param: NDArray[np.float32], noise: NDArray[np.float64]) -> NDArray[np.float32]:
    """The gradient that an optimizer gets: computed in float64, noise added, rounded once; NaN where it is undefined."""
    try:
        found = np.array(surface.gradient(*param.astype(np.float64)), np.float64)
    except UNDEFINED:
        found = np.full(2, np.nan)
    return (found + noise).astype(np.float32)


def noise_of(surface: Surface, steps: int, seed: int) -> NDArray[np.float64]:
    """The noise on the gradient in each step."""
    return surface.noise * np.random.default_rng(seed).standard_normal((steps, 2))


def losses(surface: Surface, points: Any) -> NDArray[np.float64]:
    """The loss at each point; NaN where it is undefined."""

    def loss(x: float, y: float) -> float:
        try:
            return float(surface.value(x, y))
        except UNDEFINED:
            return math.nan

    with np.errstate(all="ignore"):
        x, y = np.moveaxis(np.asarray(points, np.float64), -1, 0)
        found: NDArray[np.float64] = np.vectorize(loss, otypes=[np.float64])(x, y)
    return found


def _start(surface: Surface) -> NDArray[np.float32]:
    return np.array(surface.start, np.float32)


def _walk(
    surface: Surface, method: Method, lr: float, steps: int, seed: int, bias_correction: bool
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], Any]]:
    """After each step: gradient, parameters and the optimizer's state. The next step changes the latter two in place."""
    param = _start(surface)
    optimizer = method.make(param, lr, bias_correction)
    state = optimizer.state
    for noise in noise_of(surface, steps, seed):
        with np.errstate(all="ignore"):
            gradient = gradient_at(surface, param, noise)
        optimizer.step(gradient)
        yield gradient, param, state


def _inside(
    method: Method, lr: float, bias_correction: bool, count: int, gradient: Any, step: Any, state: Any
) -> tuple[Any, ...]:
    """The `QUANTITIES` of a step, in float64."""

    def kept(name: str | None, otherwise: Any) -> Any:
        return otherwise if name is None else state[name].astype(np.float64)

    m, v = kept(method.m.state, gradient), kept(method.v.state, np.ones(2))
    corrected_m, corrected_v = m, kept(method.largest_v, v)
    if method.looks_ahead:
        corrected_m = gradient + float(np.float32(method.options["momentum"])) * m
    if method.corrects_bias and bias_correction:
        beta1, beta2 = (float(np.float32(beta)) for beta in method.options["betas"])
        corrected_m, corrected_v = corrected_m / (1 - beta1**count), corrected_v / (1 - beta2**count)
    effective = lr / (np.sqrt(corrected_v) + method.options["eps"]) if method.v.state else np.full(2, lr)
    return gradient, m, v, corrected_m, corrected_v, step, effective
