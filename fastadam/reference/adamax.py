"""AdaMax (Kingma & Ba 2015, Algorithm 2)."""

import numpy as np

from fastadam.reference.scalars import Array, effective_gradient, flush_subnormals, maximum, power


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
        b1, b2 = np.float32(betas[0]), np.float32(betas[1])
        c1 = np.float32(1) - b1
        a = np.float32(lr / (1.0 - power(float(b1), step)))

        g = effective_gradient(param, grad, maximize, weight_decay)
        exp_avg[...] = flush_subnormals(b1 * exp_avg + c1 * g)
        exp_inf[...] = flush_subnormals(maximum(b2 * exp_inf, np.abs(g) + np.float32(eps)))
        param[...] = param - (a * exp_avg) / exp_inf
