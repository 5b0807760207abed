"""AdaMax."""

from types import MappingProxyType
from typing import Any

from fastadam.optimizers.checks import Scheduled, beta_pair, non_negative
from fastadam.optimizers.optimizer import Optimizer
from fastadam.optimizers.options import Options
from fastadam.optimizers.param_groups import Hyperparameter


class AdamaxOptions(Options):
    """Hyperparameters of AdaMax."""

    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    maximize: bool

    rule_name = "adamax"
    checks = MappingProxyType({"lr": non_negative, "betas": beta_pair, "eps": non_negative, "weight_decay": non_negative})


class Adamax(Optimizer):
    r"""AdaMax: Adam with the infinity norm of past gradients (Kingma & Ba 2015, Algorithm 2).

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        u &\leftarrow \max(\beta_2 u, |g| + \mathrm{eps}) \\
        p &\leftarrow p - \frac{\mathrm{lr}}{1 - \beta_1^t} \, \frac{m}{u}

    :func:`fastadam.reference.adamax_step` is the specification, and gives the same bits. Names, defaults and semantics are
    those of ``torch.optim.Adamax``; the paper has no `eps`.

    By the paper's argument no step is larger than `lr`, where Adam's may be several times it after a gradient among zeros. It
    suits sparse gradients, as those of embeddings.

    Parameters
    ----------
    params, maximize, ema_decay, capturable
        As for :class:`fastadam.Adam`, and so are errors.
    lr : float
        Learning rate, at least 0.
    betas : (float, float)
        Decay rates of the first moment and of the norm, in [0, 1).
    eps : float
        Added to the gradient's magnitude, at least 0. With 0, an element whose gradients were all zero becomes NaN.
    weight_decay : float
        At least 0; ``weight_decay * param`` is added to the gradient.

    References
    ----------
    Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, section 7.1, Algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> weights = np.ones(2, np.float32)
    >>> fastadam.Adamax(weights, lr=0.5).step(np.array([1, -4], np.float32))
    >>> weights
    array([0.5, 1.5], dtype=float32)
    """

    _options_type = AdamaxOptions

    lr = Hyperparameter()
    betas = Hyperparameter()
    eps = Hyperparameter()
    weight_decay = Hyperparameter()
    maximize = Hyperparameter()

    def __init__(
        self,
        params: Any,
        lr: Scheduled[float] = 2e-3,
        betas: Scheduled[tuple[float, float]] = (0.9, 0.999),
        eps: Scheduled[float] = 1e-8,
        weight_decay: Scheduled[float] = 0.0,
        *,
        maximize: Scheduled[bool] = False,
        ema_decay: Scheduled[float] | None = None,
        capturable: bool = False,
    ) -> None:
        hyperparameters = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "ema_decay": ema_decay,
        }
        super().__init__(params, hyperparameters, capturable)
