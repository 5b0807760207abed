"""AdaGrad."""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from fastadam.hyperparameters import non_negative
from fastadam.optimizer import Hyperparameter, Optimizer
from fastadam.options import Options


@dataclass(frozen=True)
class AdagradOptions(Options):
    """Hyperparameters of AdaGrad."""

    lr: float
    lr_decay: float
    weight_decay: float
    initial_accumulator_value: float = field(compare=False)  # matters only when the state is made
    eps: float
    maximize: bool

    rule_name = "adagrad"
    checks = MappingProxyType(
        dict.fromkeys(("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"), non_negative)
    )

    @property
    def initial_state(self) -> dict[str, float]:
        return {"sum": self.initial_accumulator_value}


class Adagrad(Optimizer):
    r"""AdaGrad (Duchi, Hazan & Singer 2011), in its diagonal form.

    .. math::
        s &\leftarrow s + g^2 \\
        p &\leftarrow p - \frac{\mathrm{lr}}{1 + (t - 1) \, \mathrm{lr\_decay}} \, \frac{g}{\sqrt{s} + \mathrm{eps}}

    :func:`fastadam.reference.adagrad_step` is the specification, and gives the same bits. Names, defaults and semantics are
    those of ``torch.optim.Adagrad``.

    Parameters
    ----------
    params, maximize, capturable
        As for :class:`fastadam.Adam`, and so are errors.
    lr : float
        Learning rate, at least 0.
    lr_decay : float
        How fast it decays with the steps, at least 0.
    weight_decay : float
        At least 0; ``weight_decay * param`` is added to the gradient.
    initial_accumulator_value : float
        What the sum of squares starts from, at least 0.
    eps : float
        Added to the denominator, at least 0.

    References
    ----------
    Duchi, Hazan & Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", JMLR 12, 2011.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> weights = np.ones(2, np.float32)
    >>> fastadam.Adagrad(weights, lr=0.5).step(np.array([1, -4], np.float32))
    >>> weights
    array([0.5, 1.5], dtype=float32)
    """

    lr = Hyperparameter()
    lr_decay = Hyperparameter()
    weight_decay = Hyperparameter()
    eps = Hyperparameter()
    maximize = Hyperparameter()

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        capturable: bool = False,
    ) -> None:
        options = AdagradOptions(lr, lr_decay, weight_decay, initial_accumulator_value, eps, maximize)
        super().__init__(params, options, capturable)
