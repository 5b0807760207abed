"""RMSProp."""

from types import MappingProxyType
from typing import Any

from fastadam.optimizers.checks import Scheduled, decay_rate, non_negative
from fastadam.optimizers.optimizer import Optimizer
from fastadam.optimizers.options import Options
from fastadam.optimizers.param_groups import Hyperparameter


class RMSpropOptions(Options):
    """Hyperparameters of RMSProp."""

    lr: float
    alpha: float
    eps: float
    weight_decay: float
    momentum: float
    centered: bool
    maximize: bool

    rule_name = "rmsprop"
    checks = MappingProxyType({"alpha": decay_rate, **dict.fromkeys(("lr", "eps", "weight_decay", "momentum"), non_negative)})


class RMSprop(Optimizer):
    r"""RMSProp (Tieleman & Hinton 2012), with centering (Graves 2013) and momentum as options.

    .. math::
        v &\leftarrow \alpha v + (1 - \alpha) g^2 \\
        \bar g &\leftarrow \alpha \bar g + (1 - \alpha) g
            \quad \text{if centered; then } v - \bar g^2 \text{ takes the place of } v \text{ below} \\
        b &\leftarrow \mathrm{momentum} \, b + \frac{g}{\sqrt{v} + \mathrm{eps}} \\
        p &\leftarrow p - \mathrm{lr} \, b

    :func:`fastadam.reference.rmsprop_step` is the specification, and gives the same bits. Names, defaults and semantics are
    those of ``torch.optim.RMSprop``, but for a centered variance that rounding makes negative: 0 here, and NaN there.

    Adam without its first moment, with half of its state; usual for recurrent networks and in reinforcement learning. The
    average has no bias correction: the first steps are larger by up to :math:`1 / \sqrt{1 - \alpha}`, ten times by default.

    Parameters
    ----------
    params, maximize, ema_decay, capturable
        As for :class:`fastadam.Adam`, and so are errors.
    lr : float
        Learning rate, at least 0.
    alpha : float
        Decay rate of the averages, in [0, 1).
    eps : float
        Added to the denominator, at least 0.
    weight_decay : float
        At least 0; ``weight_decay * param`` is added to the gradient.
    momentum : float
        At least 0. Without momentum (0) there is no ``momentum_buffer``.
    centered : bool
        Divide by an estimate of the gradient's standard deviation instead.

    References
    ----------
    Tieleman & Hinton, "Lecture 6.5: RMSProp", COURSERA, 2012. Graves, "Generating Sequences With Recurrent Neural Networks",
    arXiv 1308.0850, equations 38 to 45.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> weights = np.ones(2, np.float32)
    >>> fastadam.RMSprop(weights, lr=0.1, alpha=0.75).step(np.array([1, -4], np.float32))
    >>> weights
    array([0.8, 1.2], dtype=float32)
    """

    _options_type = RMSpropOptions

    lr = Hyperparameter()
    alpha = Hyperparameter()
    eps = Hyperparameter()
    weight_decay = Hyperparameter()
    momentum = Hyperparameter()
    centered = Hyperparameter()
    maximize = Hyperparameter()

    def __init__(
        self,
        params: Any,
        lr: Scheduled[float] = 1e-2,
        alpha: Scheduled[float] = 0.99,
        eps: Scheduled[float] = 1e-8,
        weight_decay: Scheduled[float] = 0.0,
        momentum: Scheduled[float] = 0.0,
        centered: Scheduled[bool] = False,
        *,
        maximize: Scheduled[bool] = False,
        ema_decay: Scheduled[float] | None = None,
        capturable: bool = False,
    ) -> None:
        hyperparameters = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
            "ema_decay": ema_decay,
        }
        super().__init__(params, hyperparameters, capturable)
