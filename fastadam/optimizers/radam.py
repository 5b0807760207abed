"""RAdam."""

from fastadam.optimizers.base import Optimizer
from fastadam.optimizers.checks import Scheduled, beta_pair, expect_decoupled, flag, non_negative
from fastadam.optimizers.hyperparameters import Hyperparameter, Hyperparameters
from fastadam.optimizers.storage import Master, StateDType
from fastadam.typing import GivenState, Params_co


class RAdam(Optimizer[Params_co]):
    r"""RAdam: Adam that uses only momentum until the second moment is reliable (Liu et al. 2020).

    With :math:`\rho_\infty = 2 / (1 - \beta_2) - 1` and
    :math:`\rho_t = \rho_\infty - 2 t \beta_2^t / (1 - \beta_2^t)`:

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        r &= \sqrt{\frac{(\rho_t - 4)(\rho_t - 2) \, \rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2) \, \rho_t}} \\
        p &\leftarrow p - \mathrm{lr} \, \frac{m}{1 - \beta_1^t} \cdot
            \begin{cases} r \sqrt{1 - \beta_2^t} / (\sqrt{v} + \mathrm{eps}) & \rho_t > 5 \\ 1 & \text{otherwise} \end{cases}

    :func:`fastadam.reference.radam_step` is the specification and gives the same bits. Names, defaults and behaviour are those
    of ``torch.optim.RAdam``; the paper's threshold is 4.

    An alternative to Adam with a learning-rate warm-up, which the paper argues it makes unnecessary. With the default `betas`,
    the first five steps use momentum only, so their size depends on the scale of the gradients.

    Parameters
    ----------
    params, maximize, ema_decay, capturable, state, state_dtype, master, seed
        As for :class:`fastadam.Adam`, which also lists the errors raised.
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
    cautious_weight_decay : bool
        Decay only where the update agrees in sign, as for :class:`fastadam.AdamW`. Needs `decoupled_weight_decay`.

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

    _rule_name = "radam"

    lr = Hyperparameter(non_negative, 1e-3, "Learning rate, at least 0.")
    betas = Hyperparameter(beta_pair, (0.9, 0.999), "Decay rates of the moments, in [0, 1).")
    eps = Hyperparameter(non_negative, 1e-8, "Added to the denominator, at least 0.")
    weight_decay = Hyperparameter(
        non_negative, 0.0, "At least 0; ``weight_decay * param`` is added to the gradient.", unasked=0.01
    )
    decoupled_weight_decay = Hyperparameter(
        flag, False, "Multiply the parameters by ``1 - lr * weight_decay`` instead.", unasked=True
    )
    maximize = Hyperparameter(flag, False, "Negate the gradient.")
    cautious_weight_decay = Hyperparameter(flag, False, "Decay only where the update agrees in sign.", is_later=True)

    def __init__(
        self,
        params: Params_co,
        lr: Scheduled[float] = 1e-3,
        betas: Scheduled[tuple[float, float]] = (0.9, 0.999),
        eps: Scheduled[float] = 1e-8,
        weight_decay: Scheduled[float] = 0.0,
        decoupled_weight_decay: Scheduled[bool] = False,
        *,
        maximize: Scheduled[bool] = False,
        cautious_weight_decay: Scheduled[bool] = False,
        ema_decay: Scheduled[float] | None = None,
        capturable: bool = False,
        state: GivenState | None = None,
        state_dtype: StateDType = "float32",
        master: Master | None = "split",
        seed: int = 0,
    ) -> None:
        self._make(params, locals(), capturable, state)

    @staticmethod
    def _check_together(values: Hyperparameters) -> None:
        expect_decoupled(values.cautious_weight_decay, values.decoupled_weight_decay)
