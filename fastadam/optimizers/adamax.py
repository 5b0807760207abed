"""AdaMax."""

from fastadam.optimizers.base import Optimizer
from fastadam.optimizers.checks import Scheduled, beta_pair, flag, non_negative
from fastadam.optimizers.hyperparameters import Hyperparameter
from fastadam.optimizers.storage import Master, StateDType
from fastadam.typing import GivenState, Params_co


class Adamax(Optimizer[Params_co]):
    r"""AdaMax: Adam with the infinity norm of past gradients (Kingma & Ba 2015, Algorithm 2).

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        u &\leftarrow \max(\beta_2 u, |g| + \mathrm{eps}) \\
        p &\leftarrow p - \frac{\mathrm{lr}}{1 - \beta_1^t} \, \frac{m}{u}

    :func:`fastadam.reference.adamax_step` is the specification and gives the same bits. Names, defaults and behaviour are
    those of ``torch.optim.Adamax``; the paper has no `eps`.

    The paper shows that no step is larger than `lr`; Adam's can be several times `lr` if a gradient follows many zeros. Suits
    sparse gradients, such as those of embeddings.

    Parameters
    ----------
    params, maximize, ema_decay, capturable, state, state_dtype, master, seed
        As for :class:`fastadam.Adam`, which also lists the errors raised.
    lr : float
        Learning rate, at least 0.
    betas : (float, float)
        Decay rates of the first moment and of the norm, in [0, 1).
    eps : float
        Added to the gradient's magnitude, at least 0. With 0, an element whose gradients were all zero becomes NaN.
    weight_decay : float
        At least 0; ``weight_decay * param`` is added to the gradient.

    References
    ----------
    Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, section 7.1, Algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> weights = np.ones(2, np.float32)
    >>> fastadam.Adamax(weights, lr=0.5).step(np.array([1, -4], np.float32))
    >>> weights
    array([0.5, 1.5], dtype=float32)
    """

    _rule_name = "adamax"

    lr = Hyperparameter(non_negative, 2e-3, "Learning rate, at least 0.")
    betas = Hyperparameter(beta_pair, (0.9, 0.999), "Decay rates of the first moment and of the norm, in [0, 1).")
    eps = Hyperparameter(non_negative, 1e-8, "Added to the gradient's magnitude, at least 0.")
    weight_decay = Hyperparameter(
        non_negative, 0.0, "At least 0; ``weight_decay * param`` is added to the gradient.", unasked=0.01
    )
    maximize = Hyperparameter(flag, False, "Negate the gradient.")

    def __init__(
        self,
        params: Params_co,
        lr: Scheduled[float] = 2e-3,
        betas: Scheduled[tuple[float, float]] = (0.9, 0.999),
        eps: Scheduled[float] = 1e-8,
        weight_decay: Scheduled[float] = 0.0,
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
