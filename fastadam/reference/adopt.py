"""ADOPT (Taniguchi et al. 2024, Algorithm 2), with optax's clip."""

import numpy as np

from fastadam.reference.scalars import (
    Array,
    decay_factor,
    effective_gradient,
    flush_subnormals,
    maximum,
    square_root,
    types_of,
    whole,
)


def adopt_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    *,
    step: int,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.9999),
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    cautious_weight_decay: bool = False,
    maximize: bool = False,
) -> None:
    """One step of :class:`fastadam.ADOPT`."""
    with np.errstate(all="ignore"):
        real, scalar = types_of(param)
        a, b1, b2, e = real(lr), real(betas[0]), real(betas[1]), real(eps)
        d = real(1.0 - scalar(lr) * weight_decay) if decoupled_weight_decay else real(1)
        if step == 1:  # which only fills the second moment
            a, b1, b2, e, d = real(0), real(1), real(0), real(1), real(1)
        c1, c2 = real(1) - b1, real(1) - b2
        limit = real(square_root(square_root(whole(scalar, step - 1))))

        g = effective_gradient(param, grad, maximize, 0.0 if decoupled_weight_decay else weight_decay)
        normalized = g / maximum(np.sqrt(exp_avg_sq), e)
        clipped = np.where(normalized > limit, limit, np.where(normalized < -limit, -limit, normalized))  # NaN stays NaN
        exp_avg[...] = flush_subnormals(b1 * exp_avg + c1 * clipped)
        exp_avg_sq[...] = flush_subnormals(b2 * exp_avg_sq + (c2 * g) * g)
        param[...] = decay_factor(d, param, exp_avg, cautious_weight_decay) * param - a * exp_avg
