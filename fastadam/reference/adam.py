"""Adam (Kingma & Ba 2015, Algorithm 1), AdamW (Loshchilov & Hutter 2019) and AMSGrad (Reddi et al. 2018)."""

import numpy as np

from fastadam.reference.scalars import (
    Array,
    decay_factor,
    effective_gradient,
    flush_subnormals,
    maximum,
    power,
    square_root,
    types_of,
)


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
    bias_correction: bool = True,
    cautious_weight_decay: bool = False,
    maximize: bool = False,
) -> None:
    """One step; the arguments are those of :func:`fastadam.adam_step`."""
    with np.errstate(all="ignore"):  # non-finite values propagate as IEEE 754 says
        real, scalar = types_of(param)
        b1, b2 = real(betas[0]), real(betas[1])
        c1, c2 = real(1) - b1, real(1) - b2
        k1, k2 = scalar(1.0), scalar(1.0)
        if bias_correction:
            k1, k2 = k1 - power(scalar(b1), step), k2 - power(scalar(b2), step)
        a = real(lr * square_root(k2) / k1)
        e = real(eps * square_root(k2))
        d = real(1.0 - scalar(lr) * weight_decay) if decoupled_weight_decay else real(1)

        g = effective_gradient(param, grad, maximize, 0.0 if decoupled_weight_decay else weight_decay)
        exp_avg[...] = flush_subnormals(b1 * exp_avg + c1 * g)
        exp_avg_sq[...] = flush_subnormals(b2 * exp_avg_sq + (c2 * g) * g)
        v = exp_avg_sq
        if max_exp_avg_sq is not None:
            max_exp_avg_sq[...] = maximum(max_exp_avg_sq, v)
            v = max_exp_avg_sq
        d = decay_factor(d, param, exp_avg, cautious_weight_decay)
        param[...] = d * param - (a * exp_avg) / (np.sqrt(v) + e)
