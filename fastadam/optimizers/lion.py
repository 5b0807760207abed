"""Lion."""

from types import MappingProxyType
from typing import Any

from fastadam.optimizers.checks import Scheduled, beta_pair, non_negative
from fastadam.optimizers.optimizer import Optimizer
from fastadam.optimizers.options import Options
from fastadam.optimizers.param_groups import Hyperparameter


class LionOptions(Options):
    """Hyperparameters of Lion."""

    lr: float
    betas: tuple[float, float]
    weight_decay: float
    maximize: bool

    rule_name = "lion"
    checks = MappingProxyType({"lr": non_negative, "betas": beta_pair, "weight_decay": non_negative})


class Lion(Optimizer):
    r"""Lion: steps of one size, in the direction of the momentum's sign (Chen et al. 2023).

    .. math::
        p &\leftarrow (1 - \mathrm{lr} \, \mathrm{weight\_decay}) \, p
            - \mathrm{lr} \, \mathrm{sign}(\beta_1 m + (1 - \beta_1) g) \\
        m &\leftarrow \beta_2 m + (1 - \beta_2) g

    :func:`fastadam.reference.lion_step` is the specification, and gives the same bits.

    Half of Adam's state. Each element moves by `lr` in every step, so that `lr` has to be smaller than Adam's, and
    `weight_decay` larger by as much; the paper finds it better the larger the batch.

    Parameters
    ----------
    params, maximize, ema_decay, capturable
        As for :class:`fastadam.Adam`, and so are errors.
    lr : float
        Learning rate, at least 0; three to ten times smaller than Adam's, says the paper.
    betas : (float, float)
        The moment's share in the direction, and its decay rate; in [0, 1).
    weight_decay : float
        At least 0; decoupled: the parameters are multiplied by ``1 - lr * weight_decay``.

    References
    ----------
    Chen et al., "Symbolic Discovery of Optimization Algorithms", NeurIPS 2023, Algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> weights = np.ones(2, np.float32)
    >>> fastadam.Lion(weights, lr=0.5).step(np.array([3, -1], np.float32))
    >>> weights
    array([0.5, 1.5], dtype=float32)
    """

    _options_type = LionOptions

    lr = Hyperparameter()
    betas = Hyperparameter()
    weight_decay = Hyperparameter()
    maximize = Hyperparameter()

    def __init__(
        self,
        params: Any,
        lr: Scheduled[float] = 1e-4,
        betas: Scheduled[tuple[float, float]] = (0.9, 0.99),
        weight_decay: Scheduled[float] = 0.0,
        *,
        maximize: Scheduled[bool] = False,
        ema_decay: Scheduled[float] | None = None,
        capturable: bool = False,
    ) -> None:
        hyperparameters = {
            "lr": lr,
            "betas": betas,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "ema_decay": ema_decay,
        }
        super().__init__(params, hyperparameters, capturable)
