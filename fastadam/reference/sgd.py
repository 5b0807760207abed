"""Stochastic gradient descent with momentum (Polyak 1964) and Nesterov's variant (Sutskever et al. 2013)."""

import numpy as np

from fastadam.reference.scalars import Array, effective_gradient, flush_subnormals, types_of


def sgd_step(
    param: Array,
    grad: Array,
    momentum_buffer: Array | None = None,
    *,
    step: int,
    lr: float = 1e-3,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> None:
    """One step of :class:`fastadam.SGD`; without `momentum_buffer`, momentum is not used."""
    with np.errstate(all="ignore"):
        real, _ = types_of(param)
        first = step == 1  # there is no buffer yet: it starts as the gradient
        b = real(0 if first else momentum)
        c = real(1) if first else real(1) - real(dampening)

        g = effective_gradient(param, grad, maximize, weight_decay)
        if momentum_buffer is not None:
            momentum_buffer[...] = flush_subnormals(b * momentum_buffer + c * g)
            g = g + real(momentum) * momentum_buffer if nesterov else momentum_buffer
        param[...] = param - real(lr) * g
