"""Stochastic gradient descent."""

from fastadam.optimizers.base import Optimizer
from fastadam.optimizers.checks import Scheduled, flag, non_negative, real
from fastadam.optimizers.hyperparameters import Hyperparameter, Hyperparameters
from fastadam.optimizers.storage import Master, StateDType
from fastadam.typing import GivenState, Params_co


class SGD(Optimizer[Params_co]):
    r"""Stochastic gradient descent, optionally with momentum (Polyak 1964) or Nesterov's variant (Sutskever et al. 2013).

    .. math::
        b &\leftarrow \mathrm{momentum} \, b + (1 - \mathrm{dampening}) \, g
            \quad (b \leftarrow g \text{ in the first step}) \\
        p &\leftarrow p - \mathrm{lr} \, b
            \quad (p - \mathrm{lr} \, (g + \mathrm{momentum} \, b) \text{ with nesterov})

    :func:`fastadam.reference.sgd_step` is the specification and gives the same bits. Names, defaults and behaviour are those
    of ``torch.optim.SGD``. The papers apply `lr` inside the momentum, which is the same as long as `lr` is constant.

    It needs the least memory: one state array with momentum, none without. A momentum of 0.9 and a schedule are usual for
    convolutional networks. The size of a step depends on the scale of the gradients, so `lr` has to be tuned for each model.

    Parameters
    ----------
    params, maximize, ema_decay, capturable, state, state_dtype, master, seed
        As for :class:`fastadam.Adam`, which also lists the errors raised.
    lr : float
        Learning rate, at least 0.
    momentum : float
        At least 0. Without momentum (0) there is no state.
    dampening : float
        Reduces the gradient's share in the momentum.
    weight_decay : float
        At least 0; ``weight_decay * param`` is added to the gradient.
    nesterov : bool
        Look ahead by the momentum. Needs a momentum above 0 and no dampening.

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

    _rule_name = "sgd"

    lr = Hyperparameter(non_negative, 1e-3, "Learning rate, at least 0.")
    momentum = Hyperparameter(
        non_negative, 0.0, "At least 0; without momentum (0) there is no ``momentum_buffer``.", unasked=0.5
    )
    dampening = Hyperparameter(real, 0.0, "Reduces the gradient's share in the momentum.")
    weight_decay = Hyperparameter(
        non_negative, 0.0, "At least 0; ``weight_decay * param`` is added to the gradient.", unasked=0.01
    )
    nesterov = Hyperparameter(flag, False, "Look ahead by the momentum. Needs a momentum above 0 and no dampening.")
    maximize = Hyperparameter(flag, False, "Negate the gradient.")

    def __init__(
        self,
        params: Params_co,
        lr: Scheduled[float] = 1e-3,
        momentum: Scheduled[float] = 0.0,
        dampening: Scheduled[float] = 0.0,
        weight_decay: Scheduled[float] = 0.0,
        nesterov: Scheduled[bool] = False,
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

    @staticmethod
    def _check_together(values: Hyperparameters) -> None:
        if values.nesterov and (values.momentum == 0 or values.dampening != 0):
            raise ValueError(
                f"nesterov is True with momentum {values.momentum} and dampening {values.dampening}; expected a momentum above "
                "0 and no dampening"
            )
