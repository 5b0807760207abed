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

MOMENTUM, ALPHA = 0.9, 0.99
FIRST = ("SGD", "momentum", "RMSProp", "Adam")  # those that a page and a picture begin with: Adam and what it is made of


class Moment(NamedTuple):
    """A moment of past gradients: its name in the optimizer's state (None if it is not kept), its update, and what it means."""

    state: str | None
    formula: str
    meaning: str


NO_M = Moment(None, "m = g, not kept", "This method remembers no direction: m is the gradient itself.")
NO_V = Moment(None, "v = 1, not kept", "This method does not measure how large gradients are: v is 1.")


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
        if self.corrects_bias:
            hyperparameters["bias_correction"] = bias_correction
        return self.optimizer(param, **hyperparameters)

    def formulas(self, bias_correction: bool = True) -> dict[str, str]:
        """How a step is computed from the gradient g, for each of `fastadam.viz.trajectory.QUANTITIES`."""
        corrected = self.corrects_bias and bias_correction
        largest = "max v" if self.largest_v else "v"
        m = "m / (1 - β₁ᵗ)" if corrected else f"g + {MOMENTUM} m" if self.looks_ahead else "m"
        return {
            "gradient": "g",
            "m": self.m.formula,
            "v": self.v.formula,
            "corrected m": f"m̂ = {m}",
            "corrected v": f"v̂ = {largest}" + (" / (1 - β₂ᵗ)" if corrected else ""),
            "step": "-m̂ · effective lr" + (", and decay" if "weight_decay" in self.options else ""),
            "effective lr": "lr / (√v̂ + ε)" if self.v.state else "lr",
        }

    def meanings(self, bias_correction: bool = True) -> dict[str, str]:
        """A sentence on each of the quantities."""
        corrected = self.corrects_bias and bias_correction
        corrected_m = "There is nothing to correct: it is m."
        corrected_v = "There is nothing to correct: it is v."
        if self.corrects_bias:
            corrected_m = "m begins at 0 and is too small at first; the division makes up for that."
            corrected_v = "The same for v: without it, the first steps would be too long."
            if not corrected:
                corrected_m = "The correction is off: it is m, which begins at 0 and is too small at first."
                corrected_v = "The correction is off: it is v, which is too small at first, for longer than m."
        if self.looks_ahead:
            corrected_m = "The gradient and what momentum adds to it: a look ahead at where m is going."
        if self.largest_v:
            corrected_v = (
                "The largest v so far" + (", corrected" if corrected else "") + ": a large gradient is never forgotten."
            )
        return {
            "gradient": "The slope at this place, noise included: the way up, and how steep it is.",
            "m": self.m.meaning,
            "v": self.v.meaning,
            "corrected m": corrected_m,
            "corrected v": corrected_v,
            "step": "How far the parameter moves: against corrected m"
            + (", and a little towards 0, by weight decay." if "weight_decay" in self.options else "."),
            "effective lr": "The learning rate over the usual size of gradients: short where it is steep, long where flat."
            if self.v.state
            else "The learning rate, the same for both parameters.",
        }


_M = Moment(
    "exp_avg", "m ← β₁ m + (1 - β₁) g", "An average of the last gradients: what swings to and fro cancels, a trend remains."
)
_V = Moment("exp_avg_sq", "v ← β₂ v + (1 - β₂) g²", "An average of the last squared gradients: how large they usually are.")
_SUM = Moment(
    "momentum_buffer", f"m ← {MOMENTUM} m + g", "A sum of gradients that fades: what swings to and fro cancels, a trend grows."
)
_TOTAL = Moment("sum", "v ← v + g²", "The sum of all squared gradients: it only grows, so the steps get shorter.")
_SQUARES = Moment("square_avg", f"v ← {ALPHA} v + {1 - ALPHA:.1g} g²", _V.meaning)
_ADAM: dict[str, Any] = {"betas": (0.9, 0.999), "eps": 1e-8}

METHODS = {
    "SGD": Method(fastadam.SGD),
    "momentum": Method(fastadam.SGD, {"momentum": MOMENTUM}, m=_SUM),
    "Nesterov": Method(fastadam.SGD, {"momentum": MOMENTUM, "nesterov": True}, m=_SUM),
    "AdaGrad": Method(fastadam.Adagrad, {"eps": 1e-10}, v=_TOTAL),
    "RMSProp": Method(fastadam.RMSprop, {"alpha": ALPHA, "eps": 1e-8}, v=_SQUARES),
    "Adam": Method(fastadam.Adam, _ADAM, _M, _V),
    "AMSGrad": Method(fastadam.Adam, _ADAM | {"amsgrad": True}, _M, _V, "max_exp_avg_sq"),
    "AdamW": Method(fastadam.AdamW, _ADAM | {"weight_decay": 0.1}, _M, _V),
}
