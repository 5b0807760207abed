"""NAdam."""

from fastadam.optimizers.base import Optimizer
from fastadam.optimizers.checks import Scheduled, beta_pair, expect_decoupled, flag, non_negative
from fastadam.optimizers.hyperparameters import Hyperparameter, Hyperparameters
from fastadam.optimizers.storage import Master, StateDType
from fastadam.typing import GivenState, Params_co


class NAdam(Optimizer[Params_co]):
    r"""NAdam: Adam with Nesterov's momentum (Dozat 2016).

    .. math::
        \mu_t &= \beta_1 \left(1 - \tfrac{1}{2} \, 0.96^{\, t \, \mathrm{momentum\_decay}}\right) \\
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        p &\leftarrow p - \mathrm{lr} \,
            \frac{\dfrac{(1 - \mu_t) \, g}{1 - \prod_{i=1}^{t} \mu_i} + \dfrac{\mu_{t+1} \, m}{1 - \prod_{i=1}^{t+1} \mu_i}}
            {\sqrt{v / (1 - \beta_2^t)} + \mathrm{eps}}

    :func:`fastadam.reference.nadam_step` is the specification and gives the same bits. Names, defaults and behaviour are those
    of ``torch.optim.NAdam``, with one exception: the product uses the current `betas` and `momentum_decay`, while PyTorch
    multiplies those of each step.

    Useful where Adam works and gradients change slowly: a step looks one step of momentum ahead. The default `momentum_decay`
    is the paper's, 1 / 250.

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
    momentum_decay : float
        How fast the momentum approaches `betas[0]`, at least 0.
    decoupled_weight_decay : bool
        Multiply the parameters by ``1 - lr * weight_decay`` instead.
    cautious_weight_decay : bool
        Decay only where the update agrees in sign, as for :class:`fastadam.AdamW`. Needs `decoupled_weight_decay`.

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

    _rule_name = "nadam"

    lr = Hyperparameter(non_negative, 2e-3, "Learning rate, at least 0.")
    betas = Hyperparameter(beta_pair, (0.9, 0.999), "Decay rates of the moments, in [0, 1).")
    eps = Hyperparameter(non_negative, 1e-8, "Added to the denominator, at least 0.")
    weight_decay = Hyperparameter(
        non_negative, 0.0, "At least 0; ``weight_decay * param`` is added to the gradient.", unasked=0.01
    )
    momentum_decay = Hyperparameter(non_negative, 4e-3, "How fast the momentum approaches `betas[0]`, at least 0.")
    decoupled_weight_decay = Hyperparameter(
        flag, False, "Multiply the parameters by ``1 - lr * weight_decay`` instead.", unasked=True
    )
    maximize = Hyperparameter(flag, False, "Negate the gradient.")
    cautious_weight_decay = Hyperparameter(flag, False, "Decay only where the update agrees in sign.", is_later=True)

    def __init__(
        self,
        params: Params_co,
        lr: Scheduled[float] = 2e-3,
        betas: Scheduled[tuple[float, float]] = (0.9, 0.999),
        eps: Scheduled[float] = 1e-8,
        weight_decay: Scheduled[float] = 0.0,
        momentum_decay: Scheduled[float] = 4e-3,
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
