"""RMSProp."""

from fastadam.optimizers.base import Optimizer
from fastadam.optimizers.checks import Scheduled, decay_rate, flag, non_negative
from fastadam.optimizers.hyperparameters import Hyperparameter
from fastadam.optimizers.storage import Master, StateDType
from fastadam.typing import GivenState, Params_co


class RMSprop(Optimizer[Params_co]):
    r"""RMSProp (Tieleman & Hinton 2012), optionally centered (Graves 2013) and with momentum.

    .. math::
        v &\leftarrow \alpha v + (1 - \alpha) g^2 \\
        \bar g &\leftarrow \alpha \bar g + (1 - \alpha) g
            \quad \text{if centered; then } v - \bar g^2 \text{ takes the place of } v \text{ below} \\
        b &\leftarrow \mathrm{momentum} \, b + \frac{g}{\sqrt{v} + \mathrm{eps}} \\
        p &\leftarrow p - \mathrm{lr} \, b

    :func:`fastadam.reference.rmsprop_step` is the specification and gives the same bits. Names, defaults and behaviour are
    those of ``torch.optim.RMSprop``, with one exception: a centered variance that rounding makes negative counts as 0 here,
    and gives NaN in PyTorch.

    Adam without the first moment, with half of its state. Common for recurrent networks and reinforcement learning. The average
    has no bias correction: the first steps are larger by up to :math:`1 / \sqrt{1 - \alpha}`, ten times by default.

    Parameters
    ----------
    params, maximize, ema_decay, capturable, state, state_dtype, master, seed
        As for :class:`fastadam.Adam`, which also lists the errors raised.
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

    _rule_name = "rmsprop"

    lr = Hyperparameter(non_negative, 1e-2, "Learning rate, at least 0.")
    alpha = Hyperparameter(decay_rate, 0.99, "Decay rate of the averages, in [0, 1).")
    eps = Hyperparameter(non_negative, 1e-8, "Added to the denominator, at least 0.")
    weight_decay = Hyperparameter(
        non_negative, 0.0, "At least 0; ``weight_decay * param`` is added to the gradient.", unasked=0.01
    )
    momentum = Hyperparameter(
        non_negative, 0.0, "At least 0; without momentum (0) there is no ``momentum_buffer``.", unasked=0.5
    )
    centered = Hyperparameter(flag, False, "Divide by an estimate of the gradient's standard deviation.", unasked=True)
    maximize = Hyperparameter(flag, False, "Negate the gradient.")

    def __init__(
        self,
        params: Params_co,
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
        state: GivenState | None = None,
        state_dtype: StateDType = "float32",
        master: Master | None = "split",
        seed: int = 0,
    ) -> None:
        self._make(params, locals(), capturable, state)
