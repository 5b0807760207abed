"""The numbers of a state that torch and we keep differently: precisions, decay rates, and NAdam's product."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastadam.backends.devices import is_masked
from fastadam.backends.dtypes import DType

# The moments whose bias is corrected: each with the index of its decay rate among the betas.
_FIRST, _SECOND = {"exp_avg": 0}, {"exp_avg_sq": 1, "max_exp_avg_sq": 1}
_CORRECTED = {"adam": _FIRST | _SECOND, "radam": _FIRST | _SECOND, "nadam": _SECOND, "adamax": _FIRST}

_MOST_FACTORS, _BLOCK = 1 << 20, 1 << 12


def scales(rule: str, group: Mapping[str, Any], step: int, dtype: DType) -> dict[str, float]:
    """What our moments are multiplied by to be torch's.

    Moments begin at zero, and a step divides them by what they lack because of that. Those in float32 follow decay rates in
    float32, so they lack ``b ** step``; torch divides by one minus the power of the exact rate. So that the quotients are the
    same, moments are multiplied by the ratio of the divisors. `group` has the betas, and whether there is a correction at all.
    """
    corrected = _CORRECTED.get(rule, {}) if group.get("bias_correction") is not False else {}
    betas: Any = group.get("betas")
    real = np.dtype(dtype).type
    pairs = {name: (float(betas[i]), float(real(betas[i]))) for name, i in corrected.items()}
    # Rates out of range are refused with the other hyperparameters.
    return {
        name: _lacking(exact, step) / _lacking(rounded, step)
        for name, (exact, rounded) in pairs.items()
        if step > 0 and 0 <= exact < 1 and rounded < 1 and exact != rounded
    }


def _lacking(rate: float, step: int) -> float:
    """``1 - rate ** step``, without cancellation."""
    return 1.0 if rate == 0.0 else -math.expm1(step * math.log(rate))


def as_array(name: str, value: Any, dtype: DType) -> np.ndarray[Any, Any]:
    """A tensor of torch, or an array, in CPU memory. Numbers of other precisions, also complex ones, are rounded to `dtype`."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if value.is_floating_point() and value.element_size() < 8:
            value = value.float()  # of bfloat16, which NumPy does not have, among others
        value = value.numpy()
    if is_masked(value):
        raise ValueError(f"{name} is a masked array; expected one without a mask, such as its filled()")
    array = np.asarray(value)
    if array.dtype.kind not in "fc":
        raise ValueError(f"{name} has dtype {array.dtype}; expected floating-point numbers, such as torch.float32")
    wanted = as_like(array, dtype)
    with np.errstate(over="ignore"):
        rounded = array.astype(wanted, copy=False)
    if not np.array_equal(np.isfinite(rounded), np.isfinite(array)):
        raise ValueError(f"{name} has numbers beyond {dtype}; expected a state that {dtype} can hold")
    return rounded


def as_like(array: Any, dtype: DType) -> np.dtype[Any]:
    """The type `dtype`, or the complex one of two such parts if an array is complex."""
    return np.result_type(dtype, np.complex64) if np.dtype(array.dtype).kind == "c" else np.dtype(dtype)


def mu_product(beta1: float, momentum_decay: float, step: int) -> float:
    """The product of NAdam's momenta up to `step`, in bounded time. torch stores it; our rule computes it in each step."""
    product, done, most = 1.0, 0, min(step, _MOST_FACTORS)
    while done < most and product > 1e-50:  # below, it is zero in torch's float32
        some = np.arange(done + 1, min(done + _BLOCK, most) + 1, dtype=np.float64)
        product *= float(np.prod(beta1 * (1 - 0.5 * 0.96 ** (some * momentum_decay))))
        done = int(some[-1])
    # The rest of the factors are beta1: a decay that still counts would have ended the product by now.
    return product * beta1 ** (step - done) if done == _MOST_FACTORS else product
