r"""The specification: each rule as NumPy expressions, in the order and precision of the numerics contract.

The kernels give the bits of these functions. They are written to be read and are not fast. They check nothing.

Scalars that depend on the step alone are float64, rounded once to float32; arrays are float32, and NumPy rounds each
operation once.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_MIN_NORMAL = np.finfo(np.float32).smallest_normal


def adam_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None = None,
    *,
    step: int,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> None:
    r"""One step of Adam (Kingma & Ba 2015, Algorithm 1), AdamW (Loshchilov & Hutter 2019) or AMSGrad (Reddi et al. 2018).

    The arguments are those of :func:`fastadam.adam_step`; all arrays are float32 of one shape, and all but `grad` are
    updated in place.
    """
    with np.errstate(all="ignore"):  # non-finite values propagate as IEEE 754 says
        b1, b2 = np.float32(betas[0]), np.float32(betas[1])
        c1, c2 = np.float32(1) - b1, np.float32(1) - b2
        k1, k2 = 1.0 - _power(float(b1), step), 1.0 - _power(float(b2), step)
        a = np.float32(lr * math.sqrt(k2) / k1)
        e = np.float32(eps * math.sqrt(k2))
        d = np.float32(1.0 - lr * weight_decay) if decoupled_weight_decay else np.float32(1)

        g = grad
        if maximize:
            g = -g
        if weight_decay and not decoupled_weight_decay:
            g = g + np.float32(weight_decay) * param
        exp_avg[...] = _flush_subnormals(b1 * exp_avg + c1 * g)
        exp_avg_sq[...] = _flush_subnormals(b2 * exp_avg_sq + (c2 * g) * g)
        v = exp_avg_sq
        if max_exp_avg_sq is not None:
            max_exp_avg_sq[...] = _maximum(max_exp_avg_sq, v)
            v = max_exp_avg_sq
        param[...] = d * param - (a * exp_avg) / (np.sqrt(v) + e)


def _power(base: float, exponent: int) -> float:
    """``base**exponent`` by repeated squaring: the same bits everywhere, which C libraries' pow() does not promise."""
    result = 1.0
    while exponent > 0:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result


def _flush_subnormals(x: Any) -> Array:
    """Zero in place of subnormal numbers."""
    flushed: Array = np.where(np.abs(x) < _MIN_NORMAL, np.float32(0), x)
    return flushed


def _maximum(a: Array, b: Array) -> Array:
    """The larger; NaN if either is NaN; of two equals (zeros of either sign) the first."""
    larger: Array = np.where((a < b) | np.isnan(b), b, a)
    return larger
