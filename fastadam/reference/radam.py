"""RAdam (Liu et al. 2020, Algorithm 2)."""

import numpy as np

from fastadam.reference.scalars import (
    Array,
    decay_factor,
    effective_gradient,
    flush_subnormals,
    power,
    square_root,
    types_of,
    whole,
)


def radam_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    *,
    step: int,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    cautious_weight_decay: bool = False,
    maximize: bool = False,
) -> None:
    """One step of :class:`fastadam.RAdam`."""
    with np.errstate(all="ignore"):
        real, scalar = types_of(param)
        b1, b2 = real(betas[0]), real(betas[1])
        c1, c2 = real(1) - b1, real(1) - b2
        b2_t = power(scalar(b2), step)
        k1, k2 = 1.0 - power(scalar(b1), step), 1.0 - b2_t
        longest = 2.0 / (1.0 - scalar(b2)) - 1.0  # length of the approximated simple moving average; rho in the paper
        length = longest - 2.0 * whole(scalar, step) * b2_t / k2
        tractable = length > 5.0
        a = lr / k1
        if tractable:
            ratio = (length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length)
            a = lr * square_root(ratio) * square_root(k2) / k1
        d = real(1.0 - scalar(lr) * weight_decay) if decoupled_weight_decay else real(1)

        g = effective_gradient(param, grad, maximize, 0.0 if decoupled_weight_decay else weight_decay)
        exp_avg[...] = flush_subnormals(b1 * exp_avg + c1 * g)
        exp_avg_sq[...] = flush_subnormals(b2 * exp_avg_sq + (c2 * g) * g)
        denominator = np.sqrt(exp_avg_sq) + real(eps) if tractable else real(1)
        d = decay_factor(d, param, exp_avg, cautious_weight_decay)
        param[...] = d * param - (real(a) * exp_avg) / denominator
