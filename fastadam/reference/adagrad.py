"""AdaGrad (Duchi, Hazan & Singer 2011), diagonal form."""

import numpy as np

from fastadam.reference.scalars import Array, effective_gradient, flush_subnormals


def adagrad_step(
    param: Array,
    grad: Array,
    sum: Array,
    *,
    step: int,
    lr: float = 1e-2,
    lr_decay: float = 0.0,
    weight_decay: float = 0.0,
    eps: float = 1e-10,
    maximize: bool = False,
) -> None:
    """One step of :class:`fastadam.Adagrad`."""
    with np.errstate(all="ignore"):
        a = np.float32(lr / (1.0 + float(step - 1) * lr_decay))

        g = effective_gradient(param, grad, maximize, weight_decay)
        sum[...] = flush_subnormals(sum + g * g)
        param[...] = param - (a * g) / (np.sqrt(sum) + np.float32(eps))
