"""AdaGrad."""

from fastadam.optimizers.base import Optimizer
from fastadam.optimizers.checks import Scheduled, flag, non_negative
from fastadam.optimizers.hyperparameters import Hyperparameter
from fastadam.optimizers.storage import Master, StateDType
from fastadam.typing import GivenState, Params_co


class Adagrad(Optimizer[Params_co]):
    r"""AdaGrad (Duchi, Hazan & Singer 2011), in its diagonal form.

    .. math::
        s &\leftarrow s + g^2 \\
        p &\leftarrow p - \frac{\mathrm{lr}}{1 + (t - 1) \, \mathrm{lr\_decay}} \, \frac{g}{\sqrt{s} + \mathrm{eps}}

    :func:`fastadam.reference.adagrad_step` is the specification and gives the same bits. Names, defaults and behaviour are
    those of ``torch.optim.Adagrad``.

    Designed for sparse features: elements that rarely have a gradient keep taking large steps. Steps only ever get smaller, so
    for long training use an optimizer that forgets old gradients, such as :class:`fastadam.RMSprop` or :class:`fastadam.Adam`.

    Parameters
    ----------
    params, maximize, ema_decay, capturable, state, state_dtype, master, seed
        As for :class:`fastadam.Adam`, which also lists the errors raised.
    lr : float
        Learning rate, at least 0.
    lr_decay : float
        How fast the learning rate decays with the steps, at least 0.
    weight_decay : float
        At least 0; ``weight_decay * param`` is added to the gradient.
    initial_accumulator_value : float
        Initial value of the sum of squares, at least 0.
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

    _rule_name = "adagrad"

    lr = Hyperparameter(non_negative, 1e-2, "Learning rate, at least 0.")
    lr_decay = Hyperparameter(non_negative, 0.0, "How fast the learning rate decays with the steps, at least 0.")
    weight_decay = Hyperparameter(
        non_negative, 0.0, "At least 0; ``weight_decay * param`` is added to the gradient.", unasked=0.01
    )
    initial_accumulator_value = Hyperparameter(
        non_negative, 0.0, "Initial value of the sum of squares, at least 0.", used_once=True
    )
    eps = Hyperparameter(non_negative, 1e-10, "Added to the denominator, at least 0.")
    maximize = Hyperparameter(flag, False, "Negate the gradient.")

    def __init__(
        self,
        params: Params_co,
        lr: Scheduled[float] = 1e-2,
        lr_decay: Scheduled[float] = 0.0,
        weight_decay: Scheduled[float] = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: Scheduled[float] = 1e-10,
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
