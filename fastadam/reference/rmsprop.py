"""RMSProp (Tieleman & Hinton 2012), centered as in Graves (2013)."""

import numpy as np

from fastadam.reference.scalars import Array, effective_gradient, flush_subnormals, maximum, types_of


def rmsprop_step(
    param: Array,
    grad: Array,
    square_avg: Array,
    grad_avg: Array | None = None,
    momentum_buffer: Array | None = None,
    *,
    step: int,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    maximize: bool = False,
) -> None:
    """One step of :class:`fastadam.RMSprop`: centered with `grad_avg`, with momentum with `momentum_buffer`."""
    with np.errstate(all="ignore"):
        real, _ = types_of(param)
        b = real(alpha)
        c = real(1) - b

        g = effective_gradient(param, grad, maximize, weight_decay)
        square_avg[...] = flush_subnormals(b * square_avg + (c * g) * g)
        variance = square_avg
        if grad_avg is not None:
            grad_avg[...] = flush_subnormals(b * grad_avg + c * g)
            variance = maximum(square_avg - grad_avg * grad_avg, real(0))  # rounding may make it negative
        denominator = np.sqrt(variance) + real(eps)
        if momentum_buffer is not None:
            momentum_buffer[...] = flush_subnormals(real(momentum) * momentum_buffer + g / denominator)
            param[...] = param - real(lr) * momentum_buffer
        else:
            param[...] = param - (real(lr) * g) / denominator
