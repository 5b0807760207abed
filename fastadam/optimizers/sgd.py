"""Stochastic gradient descent."""

from types import MappingProxyType
from typing import Any

from fastadam.optimizers.checks import Scheduled, non_negative, real
from fastadam.optimizers.optimizer import Optimizer
from fastadam.optimizers.options import Options
from fastadam.optimizers.param_groups import Hyperparameter


class SGDOptions(Options):
    """Hyperparameters of SGD."""

    lr: float
    momentum: float
    dampening: float
    weight_decay: float
    nesterov: bool
    maximize: bool

    rule_name = "sgd"
    checks = MappingProxyType({"lr": non_negative, "momentum": non_negative, "dampening": real, "weight_decay": non_negative})

    def _check_together(self) -> None:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError(
                f"nesterov is True with momentum {self.momentum} and dampening {self.dampening}; expected a momentum above 0 "
                "and no dampening"
            )


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum (Polyak 1964) or Nesterov's variant (Sutskever et al. 2013) as options.

    .. math::
        b &\leftarrow \mathrm{momentum} \, b + (1 - \mathrm{dampening}) \, g
            \quad (b \leftarrow g \text{ in the first step}) \\
        p &\leftarrow p - \mathrm{lr} \, b
            \quad (p - \mathrm{lr} \, (g + \mathrm{momentum} \, b) \text{ with nesterov})

    :func:`fastadam.reference.sgd_step` is the specification, and gives the same bits. Names, defaults and semantics are those
    of ``torch.optim.SGD``. The papers have `lr` within the momentum, which is the same while it does not change.

    It takes the least memory: one array of state with momentum, none without. A momentum of 0.9 and a schedule are usual for
    convolutional networks. All parameters share one scale of steps, so that `lr` has to be found for each model.

    Parameters
    ----------
    params, maximize, ema_decay, capturable
        As for :class:`fastadam.Adam`, and so are errors.
    lr : float
        Learning rate, at least 0.
    momentum : float
        At least 0. Without momentum (0) there is no state.
    dampening : float
        Takes from the gradient's share in the momentum.
    weight_decay : float
        At least 0; ``weight_decay * param`` is added to the gradient.
    nesterov : bool
        Look ahead by the momentum. Takes a momentum, and no dampening.

    References
    ----------
    Sutskever, Martens, Dahl & Hinton, "On the importance of initialization and momentum in deep learning", ICML 2013,
    equations 1 to 4.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> weights = np.ones(2, np.float32)
    >>> fastadam.SGD(weights, lr=0.5).step(np.array([1, -1], np.float32))
    >>> weights
    array([0.5, 1.5], dtype=float32)
    """

    _options_type = SGDOptions

    lr = Hyperparameter()
    momentum = Hyperparameter()
    dampening = Hyperparameter()
    weight_decay = Hyperparameter()
    nesterov = Hyperparameter()
    maximize = Hyperparameter()

    def __init__(
        self,
        params: Any,
        lr: Scheduled[float] = 1e-3,
        momentum: Scheduled[float] = 0.0,
        dampening: Scheduled[float] = 0.0,
        weight_decay: Scheduled[float] = 0.0,
        nesterov: Scheduled[bool] = False,
        *,
        maximize: Scheduled[bool] = False,
        ema_decay: Scheduled[float] | None = None,
        capturable: bool = False,
    ) -> None:
        hyperparameters = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "ema_decay": ema_decay,
        }
        super().__init__(params, hyperparameters, capturable)
