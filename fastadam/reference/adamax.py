"""AdaMax (Kingma & Ba 2015, Algorithm 2)."""

import numpy as np

from fastadam.reference.scalars import Array, effective_gradient, flush_subnormals, maximum, power, types_of


def adamax_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_inf: Array,
    *,
    step: int,
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> None:
    """One step of :class:`fastadam.Adamax`."""
    with np.errstate(all="ignore"):
        real, scalar = types_of(param)
        b1, b2 = real(betas[0]), real(betas[1])
        c1 = real(1) - b1
        a = real(lr / (1.0 - power(scalar(b1), step)))

        g = effective_gradient(param, grad, maximize, weight_decay)
        exp_avg[...] = flush_subnormals(b1 * exp_avg + c1 * g)
        exp_inf[...] = flush_subnormals(maximum(b2 * exp_inf, np.abs(g) + real(eps)))
        param[...] = param - (a * exp_avg) / exp_inf
