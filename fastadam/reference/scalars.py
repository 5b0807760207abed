"""Functions that several rules share: powers with the same bits everywhere, the flush of subnormals, maximum, sign."""

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastadam.reference.wide import Wide

Array = NDArray[np.float32] | NDArray[np.float64]

# What depends on the step alone, twice as precise as an element, to which it is rounded once.
Scalar: TypeAlias = float | Wide


def types_of(array: Array) -> tuple[Any, Any]:
    """The type of an array's elements, and that of a step's scalars."""
    return array.dtype.type, float if array.dtype == np.float32 else Wide


def whole(scalar: Any, n: int) -> Scalar:
    """An integer as a scalar."""
    return float(n) if scalar is float else Wide.of_int(n)


def log_096(scalar: Any) -> Scalar:
    """The natural logarithm of the float64 number 0.96."""
    return -0.040821994520255166 if scalar is float else Wide(-0.040821994520255166, -8.893492737632459e-19)


def square_root(x: Scalar) -> Scalar:
    return x.square_root() if isinstance(x, Wide) else math.sqrt(x)


def power(base: Scalar, exponent: int) -> Scalar:
    """``base**exponent`` by repeated squaring: the same bits everywhere, which C libraries' pow() does not guarantee."""
    result: Scalar = type(base)(1.0)
    while exponent > 0:
        if exponent & 1:
            result = result * base
        base = base * base
        exponent >>= 1
    return result


def exponential_of_negative(x: Scalar) -> Scalar:
    """``e**x`` for x <= 0: the Taylor series near 0, and squares of it further away."""
    squarings = 0
    while x < -0.0625:
        x = x * 0.5
        squarings += 1
    result: Scalar = type(x)(1.0)
    for n in range(12 if isinstance(x, float) else 20, 0, -1):
        result = 1.0 + result * x / float(n)
    for _ in range(squarings):
        result = result * result
    return result


def flush_subnormals(x: Any) -> Any:
    """`x` with zero in place of subnormal numbers."""
    return np.where(np.abs(x) < np.finfo(x.dtype).smallest_normal, x.dtype.type(0), x)


def maximum(a: Any, b: Any) -> Any:
    """The larger; NaN if either is NaN; of two equals (zeros of either sign) the first."""
    return np.where((a < b) | np.isnan(b), b, a)


def sign(x: NDArray[np.floating[Any]]) -> Any:
    """1, 0 or -1; zeros and NaN are returned as they are."""
    one = x.dtype.type(1)
    return np.where(x > 0, one, np.where(x < 0, -one, x))


def decay_factor(d: Any, param: Array, update: Any, cautious: bool) -> Any:
    """What decoupled weight decay multiplies by: `d`, if cautious only where update and parameter do not differ in sign."""
    if not cautious:
        return d
    differ = ((update > 0) & (param < 0)) | ((update < 0) & (param > 0))
    return np.where(differ, param.dtype.type(1), d)


def effective_gradient(param: Array, grad: Array, maximize: bool, coupled_decay: float) -> Any:
    """The gradient of the minimized objective: negated to maximize, and with coupled weight decay."""
    g = -grad if maximize else grad
    # Without decay the term is left out, not multiplied by zero: 0 * Inf would be NaN.
    return g + param.dtype.type(coupled_decay) * param if coupled_decay else g
