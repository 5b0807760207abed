"""Every rule compared with its twin, the options of a step with plain AdamW, and many tiny tensors."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from answers import Bounds, bits
from buffers import CHECKED, TIMED, Data, roles
from cases import Case, gpt2
from contenders import Contender, Fastadam, MemoryWall, Native
from peers import TorchFused
from targets import DRAM_ELEMENTS

import fastadam
from fastadam import reference

SHORT_ELEMENTS = 70_001  # enough for two threads, and odd
CACHE_LINE = (16,)


class Rule(Native):
    """An optimizer with given hyperparameters and options of its steps."""

    kind = "ours"
    checked = TIMED  # values that allow any state to be a sum of squares
    optimizer: ClassVar[type[fastadam.Optimizer]]
    reference: ClassVar[Callable[..., None]]
    hyperparameters: ClassVar[Mapping[str, Any]]

    def _optimizer(self, params: Any) -> fastadam.Optimizer:
        return self.optimizer(params, **self.hyperparameters)

    def answer(self, data: Data, steps: int) -> Bounds:
        """The bits of the specification."""
        written = {role: data[role].copy() for role in roles(self.states) if role != "grad"}
        param, *arrays = written.values()
        states = dict(zip(self._hyperparameters.initial_state, arrays, strict=True))
        ema = states.pop("ema", None)
        known = inspect.signature(self.reference).parameters
        given = {name: value for name, value in vars(self._hyperparameters).items() if name in known}
        grad = reference.transform_gradient(data["grad"], self._scale(), self.step_options.get("clip_value", math.inf))
        for t in range(1, steps + 1):
            self.reference(param, grad, **states, step=t, **given)
            if ema is not None:
                reference.average_step(ema, param, step=t, ema_decay=self.hyperparameters["ema_decay"])
        return bits(written)

    def _scale(self) -> np.float32:
        """The factor for the gradients of the case."""
        grad_scale, max_norm = self.step_options.get("grad_scale", 1.0), self.step_options.get("max_norm", math.inf)
        norm = grad_scale * reference.global_norm(self._buffers.tensors["grad"]) if max_norm < math.inf else 0.0
        return reference.clipping_scale(norm, grad_scale, max_norm)


def rule(name: str, kind: type[fastadam.Optimizer], step: Callable[..., None], **hyperparameters: Any) -> type[Rule]:
    states = len(kind(np.ones(1, np.float32), **hyperparameters)._groups[0].hyperparameters.initial_state)
    members = {"name": name, "optimizer": kind, "reference": staticmethod(step), "hyperparameters": hyperparameters}
    return type("AnyRule", (Rule,), members | {"states": states})


def adamw(name: str, step_options: Mapping[str, Any], **hyperparameters: Any) -> type[Rule]:
    """AdamW, the whole step of which differs from AdamW's alone."""
    made = rule(name, fastadam.AdamW, reference.adam_step, **hyperparameters)
    return type("AnyOption", (made,), {"kind": "option", "checked": CHECKED, "step_options": step_options})


def twin(states: int) -> type[MemoryWall]:
    return type("Twin", (MemoryWall,), {"states": states})


RULES = [
    rule("SGD", fastadam.SGD, reference.sgd_step),
    rule("SGD, momentum", fastadam.SGD, reference.sgd_step, momentum=0.9),
    rule("Adagrad", fastadam.Adagrad, reference.adagrad_step),
    rule("Lion", fastadam.Lion, reference.lion_step),
    rule("ADOPT", fastadam.ADOPT, reference.adopt_step),
    rule("RMSprop", fastadam.RMSprop, reference.rmsprop_step),
    rule("Adamax", fastadam.Adamax, reference.adamax_step),
    rule("NAdam", fastadam.NAdam, reference.nadam_step),
    rule("RAdam", fastadam.RAdam, reference.radam_step),
    rule("Adam", fastadam.Adam, reference.adam_step),
    rule("AdamW", fastadam.AdamW, reference.adam_step),
    rule("Adam, amsgrad", fastadam.Adam, reference.adam_step, amsgrad=True),
    rule("RMSprop, centered, momentum", fastadam.RMSprop, reference.rmsprop_step, centered=True, momentum=0.9),
    rule("AdamW, ema_decay", fastadam.AdamW, reference.adam_step, ema_decay=0.999),
]
(ADAMW,) = (each for each in RULES if each.name == "AdamW")
# The longest time allowed, relative to plain AdamW's: the ratio of bytes moved, plus a twentieth.
OPTIONS = {
    adamw("grad_scale, clip_value", {"grad_scale": 0.5, "clip_value": 0.25}): 1.05,
    adamw("max_norm", {"max_norm": 1.0}): 1.2,
    adamw("skip_nonfinite", {"skip_nonfinite": True}): 1.2,
    adamw("ema_decay", {}, ema_decay=0.999): 1.35,
    adamw(
        "all of them", {"grad_scale": 0.5, "clip_value": 0.25, "max_norm": 1.0, "skip_nonfinite": True}, ema_decay=0.999
    ): 1.5,
}
OPTIONS_CASE = "AdamW with options"
# As many tensors as GPT-2 small has, in a list, with next to nothing to compute, and the same elements as one buffer.
OVERHEAD = Case("148 x 16", (CACHE_LINE,) * len(gpt2(blocks=12)))
FLAT = Case("2,368", ((OVERHEAD.elements,),))


def plan(short: bool) -> list[tuple[Case, list[type[Contender]]]]:
    """Which contenders are compared with which."""
    shapes = ((SHORT_ELEMENTS if short else DRAM_ELEMENTS,),)
    pairs = [(Case(each.name, shapes), [twin(each.states), each]) for each in RULES]
    overhead = [(case, [Fastadam, TorchFused]) for case in (OVERHEAD, FLAT)]
    return [*pairs, (Case(OPTIONS_CASE, shapes), [ADAMW, *OPTIONS]), *overhead]
