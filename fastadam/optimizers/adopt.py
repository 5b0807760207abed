"""ADOPT."""

from fastadam.optimizers.base import Optimizer
from fastadam.optimizers.checks import Scheduled, beta_pair, expect_decoupled, flag, non_negative
from fastadam.optimizers.hyperparameters import Hyperparameter, Hyperparameters
from fastadam.optimizers.storage import Master, StateDType
from fastadam.typing import GivenState, Params_co


class ADOPT(Optimizer[Params_co]):
    r"""ADOPT: Adam that converges with any :math:`\beta_2` (Taniguchi et al. 2024).

    In the first step :math:`v \leftarrow g^2`, and nothing else changes. From the second on:

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) \,
            \mathrm{clip}\left(\frac{g}{\max(\sqrt{v}, \mathrm{eps})}, \, (t - 1)^{1/4}\right) \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        p &\leftarrow p - \mathrm{lr} \, m

    The gradient is divided by what was known before it, and before it enters the momentum.
    :func:`fastadam.reference.adopt_step` is the specification and gives the same bits. Defaults and the clip are those of
    ``optax.contrib.adopt``, and decay begins with the second step.

    For problems on which Adam does not converge unless :math:`\beta_2` is close to 1, such as those with rare large gradients.
    Where the first gradient is zero, the clip makes the second a sign.

    Parameters
    ----------
    params, maximize, ema_decay, capturable, state, state_dtype, master, seed
        As for :class:`fastadam.Adam`, which also lists the errors raised.
    lr : float
        Learning rate, at least 0.
    betas : (float, float)
        Decay rates of the moments, in [0, 1).
    eps : float
        The least denominator, at least 0.
    weight_decay : float
        At least 0; ``weight_decay * param`` is added to the gradient.
    decoupled_weight_decay : bool
        Multiply the parameters by ``1 - lr * weight_decay`` instead, from the second step on.
    cautious_weight_decay : bool
        Decay only where the update agrees in sign, as for :class:`fastadam.AdamW`. Needs `decoupled_weight_decay`.

    References
    ----------
    Taniguchi et al., "ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal Rate", NeurIPS 2024, Algorithm 2,
    https://arxiv.org/abs/2411.02853.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> weights = np.ones(2, np.float32)
    >>> optimizer = fastadam.ADOPT(weights, lr=0.5, betas=(0.0, 0.9999))
    >>> for _ in range(2):  # the first step only looks
    ...     optimizer.step(np.array([1, -4], np.float32))
    >>> weights
    array([0.5, 1.5], dtype=float32)
    """

    _rule_name = "adopt"

    lr = Hyperparameter(non_negative, 1e-3, "Learning rate, at least 0.")
    betas = Hyperparameter(beta_pair, (0.9, 0.9999), "Decay rates of the moments, in [0, 1).")
    eps = Hyperparameter(non_negative, 1e-6, "The least denominator, at least 0.")
    weight_decay = Hyperparameter(
        non_negative, 0.0, "At least 0; ``weight_decay * param`` is added to the gradient.", unasked=0.01
    )
    decoupled_weight_decay = Hyperparameter(
        flag, False, "Multiply the parameters by ``1 - lr * weight_decay`` instead.", unasked=True
    )
    maximize = Hyperparameter(flag, False, "Negate the gradient.")
    cautious_weight_decay = Hyperparameter(flag, False, "Decay only where the update agrees in sign.")

    def __init__(
        self,
        params: Params_co,
        lr: Scheduled[float] = 1e-3,
        betas: Scheduled[tuple[float, float]] = (0.9, 0.9999),
        eps: Scheduled[float] = 1e-6,
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
