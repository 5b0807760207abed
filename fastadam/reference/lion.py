"""Lion (Chen et al. 2023, Algorithm 2)."""

import numpy as np

from fastadam.reference.scalars import Array, decay_factor, effective_gradient, flush_subnormals, sign, types_of


def lion_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    *,
    step: int,
    lr: float = 1e-4,
    betas: tuple[float, float] = (0.9, 0.99),
    weight_decay: float = 0.0,
    cautious_weight_decay: bool = False,
    maximize: bool = False,
) -> None:
    """One step of :class:`fastadam.Lion`."""
    with np.errstate(all="ignore"):
        real, scalar = types_of(param)
        b1, b2 = real(betas[0]), real(betas[1])
        c1, c2 = real(1) - b1, real(1) - b2
        d = real(1.0 - scalar(lr) * weight_decay)

        g = effective_gradient(param, grad, maximize, 0.0)
        direction = b1 * exp_avg + c1 * g
        exp_avg[...] = flush_subnormals(b2 * exp_avg + c2 * g)
        d = decay_factor(d, param, direction, cautious_weight_decay)
        param[...] = d * param - real(lr) * sign(direction)
