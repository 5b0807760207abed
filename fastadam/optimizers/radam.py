"""RAdam."""

from types import MappingProxyType
from typing import Any

from fastadam.optimizers.checks import Scheduled, beta_pair, non_negative
from fastadam.optimizers.optimizer import Optimizer
from fastadam.optimizers.options import Options
from fastadam.optimizers.param_groups import Hyperparameter


class RAdamOptions(Options):
    """Hyperparameters of RAdam."""

    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    decoupled_weight_decay: bool
    maximize: bool

    rule_name = "radam"
    checks = MappingProxyType({"lr": non_negative, "betas": beta_pair, "eps": non_negative, "weight_decay": non_negative})


class RAdam(Optimizer):
    r"""RAdam: Adam whose first steps are those of momentum, until the second moment can be trusted (Liu et al. 2020).

    With :math:`\rho_\infty = 2 / (1 - \beta_2) - 1` and
    :math:`\rho_t = \rho_\infty - 2 t \beta_2^t / (1 - \beta_2^t)`:

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        r &= \sqrt{\frac{(\rho_t - 4)(\rho_t - 2) \, \rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2) \, \rho_t}} \\
        p &\leftarrow p - \mathrm{lr} \, \frac{m}{1 - \beta_1^t} \cdot
            \begin{cases} r \sqrt{1 - \beta_2^t} / (\sqrt{v} + \mathrm{eps}) & \rho_t > 5 \\ 1 & \text{otherwise} \end{cases}

    :func:`fastadam.reference.radam_step` is the specification, and gives the same bits. Names, defaults and semantics are those
    of ``torch.optim.RAdam``; the paper's threshold is 4.

    In place of Adam with a warm-up of the learning rate, which it makes superfluous by the paper's argument. With the default
    `betas` the first five steps are those of momentum, of the size of the gradients.

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
    decoupled_weight_decay : bool
        Multiply the parameters by ``1 - lr * weight_decay`` instead.

    References
    ----------
    Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", ICLR 2020, Algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> weights = np.ones(2, np.float32)
    >>> fastadam.RAdam(weights, lr=0.5).step(np.array([1, -1], np.float32))
    >>> weights
    array([0.5, 1.5], dtype=float32)
    """

    _options_type = RAdamOptions

    lr = Hyperparameter()
    betas = Hyperparameter()
    eps = Hyperparameter()
    weight_decay = Hyperparameter()
    decoupled_weight_decay = Hyperparameter()
    maximize = Hyperparameter()

    def __init__(
        self,
        params: Any,
        lr: Scheduled[float] = 1e-3,
        betas: Scheduled[tuple[float, float]] = (0.9, 0.999),
        eps: Scheduled[float] = 1e-8,
        weight_decay: Scheduled[float] = 0.0,
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
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "ema_decay": ema_decay,
        }
        super().__init__(params, hyperparameters, capturable)
