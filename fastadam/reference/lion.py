"""Lion (Chen et al. 2023, Algorithm 2)."""

import numpy as np

from fastadam.reference.scalars import Array, effective_gradient, flush_subnormals, sign


def lion_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    *,
    step: int,
    lr: float = 1e-4,
    betas: tuple[float, float] = (0.9, 0.99),
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> None:
    """One step of :class:`fastadam.Lion`."""
    with np.errstate(all="ignore"):
        b1, b2 = np.float32(betas[0]), np.float32(betas[1])
        c1, c2 = np.float32(1) - b1, np.float32(1) - b2
        d = np.float32(1.0 - lr * weight_decay)

        g = effective_gradient(param, grad, maximize, 0.0)
        direction = b1 * exp_avg + c1 * g
        exp_avg[...] = flush_subnormals(b2 * exp_avg + c2 * g)
        param[...] = d * param - np.float32(lr) * sign(direction)
