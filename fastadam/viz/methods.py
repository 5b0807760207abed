"""The methods of a race: the public optimizers with their options, and the moments that each keeps.

Options are the library's defaults, except for the usual momentum of 0.9 and a weight decay large enough to be visible.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastadam
from fastadam.optimizers.base import Optimizer
from fastadam.optimizers.checks import Scheduled
from fastadam.viz.uncorrected import uncorrected

MOMENTUM, ALPHA, BETA1, BETA2 = 0.9, 0.99, 0.9, 0.999


class Moment(NamedTuple):
    """A moment of past gradients: its name in the optimizer's state (None if it is not kept), and how it is updated."""

    state: str | None
    formula: str


NO_M, NO_V = Moment(None, "m = g, not kept"), Moment(None, "v = 1, not kept")


@dataclass(frozen=True)
class Method:
    """An optimizer with its options, its moments, and, for AMSGrad, the name of the largest second moment in its state."""

    optimizer: type[Optimizer]
    options: Mapping[str, Any] = field(default_factory=dict)
    m: Moment = NO_M
    v: Moment = NO_V
    largest_v: str | None = None

    @property
    def corrects_bias(self) -> bool:
        """Whether the method has a bias correction, which can be turned off."""
        return issubclass(self.optimizer, fastadam.Adam)

    @property
    def looks_ahead(self) -> bool:
        """Whether it is Nesterov's momentum, whose step uses gradient plus momentum."""
        return bool(self.options.get("nesterov"))

    def make(self, param: NDArray[np.float32], lr: Scheduled[float], bias_correction: bool = True) -> Optimizer:
        """The optimizer of an array. `bias_correction` matters only to methods that have it."""
        hyperparameters: dict[str, Any] = {**self.options, "lr": lr}
        if self.corrects_bias and not bias_correction:
            decay = self.options.get("weight_decay")  # only AdamW has one here
            hyperparameters |= uncorrected(lr, self.options["betas"], self.options["eps"], decay)
        return self.optimizer(param, **hyperparameters)

    def formulas(self, bias_correction: bool = True) -> dict[str, str]:
        """How a step is computed from the gradient g, for each of `fastadam.viz.trajectory.QUANTITIES`."""
        corrected = self.corrects_bias and bias_correction
        largest = "max v" if self.largest_v else "v"
        m = f"m / (1 - {BETA1}ᵗ)" if corrected else f"g + {MOMENTUM} m" if self.looks_ahead else "m"
        return {
            "gradient": "g",
            "m": self.m.formula,
            "v": self.v.formula,
            "corrected m": f"m̂ = {m}",
            "corrected v": f"v̂ = {largest}" + (f" / (1 - {BETA2}ᵗ)" if corrected else ""),
            "step": "-m̂ · effective lr" + (", and decay" if "weight_decay" in self.options else ""),
            "effective lr": "lr / (√v̂ + ε)" if self.v.state else "lr",
        }


_M = Moment("exp_avg", f"m ← {BETA1} m + {1 - BETA1:.1g} g")
_V = Moment("exp_avg_sq", f"v ← {BETA2} v + {1 - BETA2:.1g} g²")
_SUM = Moment("momentum_buffer", f"m ← {MOMENTUM} m + g")
_ADAM: dict[str, Any] = {"betas": (BETA1, BETA2), "eps": 1e-8}

METHODS = {
    "SGD": Method(fastadam.SGD),
    "momentum": Method(fastadam.SGD, {"momentum": MOMENTUM}, m=_SUM),
    "Nesterov": Method(fastadam.SGD, {"momentum": MOMENTUM, "nesterov": True}, m=_SUM),
    "AdaGrad": Method(fastadam.Adagrad, {"eps": 1e-10}, v=Moment("sum", "v ← v + g²")),
    "RMSProp": Method(
        fastadam.RMSprop, {"alpha": ALPHA, "eps": 1e-8}, v=Moment("square_avg", f"v ← {ALPHA} v + {1 - ALPHA:.1g} g²")
    ),
    "Adam": Method(fastadam.Adam, _ADAM, _M, _V),
    "AMSGrad": Method(fastadam.Adam, _ADAM | {"amsgrad": True}, _M, _V, "max_exp_avg_sq"),
    "AdamW": Method(fastadam.AdamW, _ADAM | {"weight_decay": 0.1}, _M, _V),
}
