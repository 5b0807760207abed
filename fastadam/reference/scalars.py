"""Functions that several rules share: powers with the same bits everywhere, the flush of subnormals, maximum, sign."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

LOG_096 = -0.040821994520255166  # the natural logarithm of 0.96

_MIN_NORMAL = np.finfo(np.float32).smallest_normal


def power(base: float, exponent: int) -> float:
    """``base**exponent`` by repeated squaring: the same bits everywhere, which C libraries' pow() does not guarantee."""
    result = 1.0
    while exponent > 0:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result


def exponential_of_negative(x: float) -> float:
    """``e**x`` for x <= 0: the Taylor series near 0, and squares of it further away."""
    squarings = 0
    while x < -0.0625:
        x *= 0.5
        squarings += 1
    result = 1.0
    for n in range(12, 0, -1):
        result = 1.0 + result * x / n
    for _ in range(squarings):
        result *= result
    return result


def flush_subnormals(x: Any) -> Array:
    """`x` with zero in place of subnormal numbers."""
    flushed: Array = np.where(np.abs(x) < _MIN_NORMAL, np.float32(0), x)
    return flushed


def maximum(a: Any, b: Any) -> Array:
    """The larger; NaN if either is NaN; of two equals (zeros of either sign) the first."""
    larger: Array = np.where((a < b) | np.isnan(b), b, a)
    return larger


def sign(x: NDArray[np.floating[Any]]) -> Array:
    """1, 0 or -1; zeros and NaN are returned as they are."""
    signs: Array = np.where(x > 0, np.float32(1), np.where(x < 0, np.float32(-1), x))
    return signs


def effective_gradient(param: Array, grad: Array, maximize: bool, coupled_decay: float) -> Array:
    """The gradient of the minimized objective: negated to maximize, and with coupled weight decay."""
    g = -grad if maximize else grad
    # Without decay the term is left out, not multiplied by zero: 0 * Inf would be NaN.
    return g + np.float32(coupled_decay) * param if coupled_decay else g  # pyright: ignore[reportReturnType]
