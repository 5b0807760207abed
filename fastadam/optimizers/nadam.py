"""NAdam."""

from types import MappingProxyType
from typing import Any

from fastadam.optimizers.checks import Scheduled, beta_pair, non_negative
from fastadam.optimizers.optimizer import Optimizer
from fastadam.optimizers.options import Options
from fastadam.optimizers.param_groups import Hyperparameter


class NAdamOptions(Options):
    """Hyperparameters of NAdam."""

    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    momentum_decay: float
    decoupled_weight_decay: bool
    maximize: bool

    rule_name = "nadam"
    checks = MappingProxyType(
        {"betas": beta_pair, **dict.fromkeys(("lr", "eps", "weight_decay", "momentum_decay"), non_negative)}
    )


class NAdam(Optimizer):
    r"""NAdam: Adam with Nesterov's momentum (Dozat 2016).

    .. math::
        \mu_t &= \beta_1 \left(1 - \tfrac{1}{2} \, 0.96^{\, t \, \mathrm{momentum\_decay}}\right) \\
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        p &\leftarrow p - \mathrm{lr} \,
            \frac{\dfrac{(1 - \mu_t) \, g}{1 - \prod_{i=1}^{t} \mu_i} + \dfrac{\mu_{t+1} \, m}{1 - \prod_{i=1}^{t+1} \mu_i}}
            {\sqrt{v / (1 - \beta_2^t)} + \mathrm{eps}}

    :func:`fastadam.reference.nadam_step` is the specification, and gives the same bits. Names, defaults and semantics are those
    of ``torch.optim.NAdam``, but for the product, which is taken over the present `betas` and `momentum_decay` here, and there
    over those of each step.

    Where Adam works and gradients change slowly: the step looks one step of momentum ahead. The default `momentum_decay` is
    the paper's, 1 / 250.

    Parameters
    ----------
    params, maximize, ema_decay, capturable
        As for :class:`fastadam.Adam`, and so are errors.
    lr : float
        Learning rate, at least 0.
    betas : (float, float)
        Decay rates of the moments, in [0, 1).
    eps : float
        Added to the denominator, at least 0.
    weight_decay : float
        At least 0; ``weight_decay * param`` is added to the gradient.
    momentum_decay : float
        How fast the momentum's schedule approaches `betas[0]`, at least 0.
    decoupled_weight_decay : bool
        Multiply the parameters by ``1 - lr * weight_decay`` instead.

    References
    ----------
    Dozat, "Incorporating Nesterov Momentum into Adam", ICLR workshop 2016, Algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> weights = np.ones(2, np.float32)
    >>> fastadam.NAdam(weights, lr=0.1).step(np.array([1, -4], np.float32))
    >>> weights.round(4)
    array([0.8944, 1.1056], dtype=float32)
    """

    _options_type = NAdamOptions

    lr = Hyperparameter()
    betas = Hyperparameter()
    eps = Hyperparameter()
    weight_decay = Hyperparameter()
    momentum_decay = Hyperparameter()
    decoupled_weight_decay = Hyperparameter()
    maximize = Hyperparameter()

    def __init__(
        self,
        params: Any,
        lr: Scheduled[float] = 2e-3,
        betas: Scheduled[tuple[float, float]] = (0.9, 0.999),
        eps: Scheduled[float] = 1e-8,
        weight_decay: Scheduled[float] = 0.0,
        momentum_decay: Scheduled[float] = 4e-3,
        decoupled_weight_decay: Scheduled[bool] = False,
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
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "ema_decay": ema_decay,
        }
        super().__init__(params, hyperparameters, capturable)
