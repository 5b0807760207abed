"""Lion."""

from fastadam.optimizers.base import Optimizer
from fastadam.optimizers.checks import Scheduled, beta_pair, flag, non_negative
from fastadam.optimizers.hyperparameters import Hyperparameter
from fastadam.optimizers.storage import Master, StateDType
from fastadam.typing import GivenState, Params_co


class Lion(Optimizer[Params_co]):
    r"""Lion: steps of constant size, in the direction of the momentum's sign (Chen et al. 2023).

    .. math::
        p &\leftarrow (1 - \mathrm{lr} \, \mathrm{weight\_decay}) \, p
            - \mathrm{lr} \, \mathrm{sign}(\beta_1 m + (1 - \beta_1) g) \\
        m &\leftarrow \beta_2 m + (1 - \beta_2) g

    :func:`fastadam.reference.lion_step` is the specification and gives the same bits.

    Half of Adam's state. Each element moves by `lr` in every step, so `lr` has to be smaller than Adam's, and `weight_decay`
    larger by the same factor. The paper finds that its advantage grows with the batch size.

    Parameters
    ----------
    params, maximize, ema_decay, capturable, state, state_dtype, master, seed
        As for :class:`fastadam.Adam`, which also lists the errors raised.
    lr : float
        Learning rate, at least 0. The paper recommends three to ten times less than for Adam.
    betas : (float, float)
        The moment's share in the direction, and its decay rate, in [0, 1).
    weight_decay : float
        At least 0. It is decoupled: the parameters are multiplied by ``1 - lr * weight_decay``.
    cautious_weight_decay : bool
        Decay only where the update agrees in sign, as for :class:`fastadam.AdamW`.

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

    _rule_name = "lion"

    lr = Hyperparameter(non_negative, 1e-4, "Learning rate, at least 0.")
    betas = Hyperparameter(beta_pair, (0.9, 0.99), "The moment's share in the direction, and its decay rate, in [0, 1).")
    weight_decay = Hyperparameter(
        non_negative,
        0.0,
        "At least 0. Decoupled: the parameters are multiplied by ``1 - lr * weight_decay``.",
        unasked=0.01,
    )
    maximize = Hyperparameter(flag, False, "Negate the gradient.")
    cautious_weight_decay = Hyperparameter(flag, False, "Decay only where the update agrees in sign.", is_later=True)

    def __init__(
        self,
        params: Params_co,
        lr: Scheduled[float] = 1e-4,
        betas: Scheduled[tuple[float, float]] = (0.9, 0.99),
        weight_decay: Scheduled[float] = 0.0,
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
