"""AdaGrad."""

from types import MappingProxyType
from typing import Any

from fastadam.optimizers.checks import Scheduled, non_negative
from fastadam.optimizers.optimizer import Optimizer
from fastadam.optimizers.options import Options
from fastadam.optimizers.param_groups import Hyperparameter


class AdagradOptions(Options):
    """Hyperparameters of AdaGrad."""

    lr: float
    lr_decay: float
    weight_decay: float
    initial_accumulator_value: float
    eps: float
    maximize: bool

    rule_name = "adagrad"
    checks = MappingProxyType(
        dict.fromkeys(("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"), non_negative)
    )


class Adagrad(Optimizer):
    r"""AdaGrad (Duchi, Hazan & Singer 2011), in its diagonal form.

    .. math::
        s &\leftarrow s + g^2 \\
        p &\leftarrow p - \frac{\mathrm{lr}}{1 + (t - 1) \, \mathrm{lr\_decay}} \, \frac{g}{\sqrt{s} + \mathrm{eps}}

    :func:`fastadam.reference.adagrad_step` is the specification, and gives the same bits. Names, defaults and semantics are
    those of ``torch.optim.Adagrad``.

    Made for sparse features: where gradients are rare, steps stay large. They become smaller for good with each gradient; for
    long trainings take what forgets, such as :class:`fastadam.RMSprop` or :class:`fastadam.Adam`.

    Parameters
    ----------
    params, maximize, ema_decay, capturable
        As for :class:`fastadam.Adam`, and so are errors.
    lr : float
        Learning rate, at least 0.
    lr_decay : float
        How fast it decays with the steps, at least 0.
    weight_decay : float
        At least 0; ``weight_decay * param`` is added to the gradient.
    initial_accumulator_value : float
        What the sum of squares starts from, at least 0.
    eps : float
        Added to the denominator, at least 0.

    References
    ----------
    Duchi, Hazan & Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", JMLR 12, 2011,
    Figure 1.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> weights = np.ones(2, np.float32)
    >>> fastadam.Adagrad(weights, lr=0.5).step(np.array([1, -4], np.float32))
    >>> weights
    array([0.5, 1.5], dtype=float32)
    """

    _options_type = AdagradOptions

    lr = Hyperparameter()
    lr_decay = Hyperparameter()
    weight_decay = Hyperparameter()
    eps = Hyperparameter()
    maximize = Hyperparameter()

    def __init__(
        self,
        params: Any,
        lr: Scheduled[float] = 1e-2,
        lr_decay: Scheduled[float] = 0.0,
        weight_decay: Scheduled[float] = 0.0,
        initial_accumulator_value: Scheduled[float] = 0.0,
        eps: Scheduled[float] = 1e-10,
        *,
        maximize: Scheduled[bool] = False,
        ema_decay: Scheduled[float] | None = None,
        capturable: bool = False,
    ) -> None:
        hyperparameters = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "maximize": maximize,
            "ema_decay": ema_decay,
        }
        super().__init__(params, hyperparameters, capturable)
