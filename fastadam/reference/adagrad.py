"""AdaGrad (Duchi, Hazan & Singer 2011), diagonal form."""

import numpy as np

from fastadam.reference.scalars import Array, effective_gradient, flush_subnormals, types_of, whole


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
        real, scalar = types_of(param)
        a = real(lr / (1.0 + whole(scalar, step - 1) * lr_decay))

        g = effective_gradient(param, grad, maximize, weight_decay)
        sum[...] = flush_subnormals(sum + g * g)
        param[...] = param - (a * g) / (np.sqrt(sum) + real(eps))
