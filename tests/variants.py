"""Every rule with every combination of hyperparameters that chooses a kernel, beside its reference: the cases of many tests.

A new rule is one entry of KINDS.
"""

import functools
import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import fastadam
from fastadam import reference


def grid(*choices):
    """All combinations of one from each of `choices`, which are lists of hyperparameters."""
    return [functools.reduce(dict.__or__, combination, {}) for combination in itertools.product(*choices)]


def also(combinations, *more):
    """With more combinations. The first stays the plainest, and the last the one with all flags."""
    return [*combinations[:-1], *more, combinations[-1]]


def switch(name):
    return [{}, {name: True}]


DECAY = [{}, {"weight_decay": 0.1}]
DECAYS = [*DECAY, {"weight_decay": 0.1, "decoupled_weight_decay": True}]
CAUTIOUS = {"weight_decay": 0.1, "cautious_weight_decay": True}
MAXIMIZE = switch("maximize")
BETAS = [{}, {"lr": 0.1, "eps": 0.0}, {"eps": 1e-3}, {"betas": (0.0, 0.999)}, {"betas": (0.9, 0.0)}, {"betas": (0.5, 0.9999)}]
# Options that torch.optim does not have, and rules.
NOT_IN_TORCH = ("bias_correction", "cautious_weight_decay", "lion", "adopt")
STATE_FLAGS = ("amsgrad", "centered")  # which the references tell by the states they are given


@dataclass(frozen=True)
class Kind:
    """An optimizer's class, its reference, the hyperparameters that choose its kernels, and values of the others."""

    cls: Any
    reference: Any
    kernels: list
    hyperparameters: list
    fixed: dict = field(default_factory=dict)  # arguments of the reference that the class stands for


KINDS = {
    "adam": Kind(
        fastadam.Adam,
        reference.adam_step,
        also(grid(switch("amsgrad"), MAXIMIZE, DECAY), {"bias_correction": False, "amsgrad": True}),
        BETAS,
    ),
    "adamw": Kind(
        fastadam.AdamW,
        reference.adam_step,
        also(
            grid(switch("amsgrad"), MAXIMIZE, [{"weight_decay": 0.1}]),
            {"bias_correction": False, "weight_decay": 0.1},
            *grid([CAUTIOUS], switch("amsgrad")),
        ),
        BETAS,
        {"decoupled_weight_decay": True},
    ),
    "sgd": Kind(
        fastadam.SGD,
        reference.sgd_step,
        grid([{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}], MAXIMIZE, DECAY),
        [{}, {"lr": 0.1}, {"momentum": 0.5}, {"momentum": 0.5, "dampening": 0.25, "nesterov": False}],
    ),
    "adagrad": Kind(
        fastadam.Adagrad,
        reference.adagrad_step,
        grid(MAXIMIZE, DECAY),
        [{}, {"lr": 0.1, "eps": 0.0}, {"lr_decay": 0.1}, {"eps": 1e-3}],
    ),
    "rmsprop": Kind(
        fastadam.RMSprop,
        reference.rmsprop_step,
        grid(switch("centered"), [{}, {"momentum": 0.9}], MAXIMIZE, DECAY),
        [{}, {"lr": 0.1, "eps": 0.0}, {"alpha": 0.0}, {"alpha": 0.9999, "eps": 1e-3}],
    ),
    "adamax": Kind(fastadam.Adamax, reference.adamax_step, grid(MAXIMIZE, DECAY), BETAS),
    "nadam": Kind(
        fastadam.NAdam,
        reference.nadam_step,
        also(grid(MAXIMIZE, DECAYS), DECAYS[-1] | CAUTIOUS),
        [*BETAS, {"momentum_decay": 0.5}],
    ),
    "radam": Kind(
        fastadam.RAdam,
        reference.radam_step,
        also(grid(MAXIMIZE, DECAYS), DECAYS[-1] | CAUTIOUS),
        [*BETAS, {"betas": (0.9, 0.5)}],
    ),
    "lion": Kind(
        fastadam.Lion,
        reference.lion_step,
        also(grid(MAXIMIZE, DECAY), CAUTIOUS),
        [{}, {"lr": 0.1}, {"betas": (0.0, 0.99)}, {"betas": (0.5, 0.0)}],
    ),
    "adopt": Kind(fastadam.ADOPT, reference.adopt_step, also(grid(MAXIMIZE, DECAYS), DECAYS[-1] | CAUTIOUS), BETAS),
}


@dataclass(frozen=True)
class Variant:
    """A rule with some hyperparameters."""

    rule_name: str
    given: tuple
    dtype: str = "float32"

    def __str__(self):
        given = [name if value is True else f"{name}={value}" for name, value in self.given]
        return "-".join([self.rule_name, *given, *([self.dtype] if self.dtype != "float32" else [])])

    @property
    def kind(self):
        return KINDS[self.rule_name]

    def make(self, params, **more):
        """The optimizer."""
        return self.kind.cls(params, **{"weight_decay": 0.0} | dict(self.given) | more)

    @functools.cached_property
    def _first_group(self):
        return self.make(np.zeros(1, self.dtype))._groups[0].hyperparameters

    @functools.cached_property
    def rule(self):
        """The native rule, which the kernels take."""
        return self._first_group.rule

    @property
    def key(self):
        """What a CUDA kernel is compiled for."""
        return self.rule.type_name, self.rule.flags, self.rule.ema_decay is not None, self.dtype

    @property
    def states(self):
        """How many arrays beside the parameter and the gradient a step takes."""
        return len(self._first_group.initial_state)

    @property
    def arrays(self):
        """How many a step takes."""
        return 2 + self.states

    @functools.cached_property
    def _state_names(self):
        return [name for name, _ in self.rule.states]

    @property
    def is_in_torch(self):
        """Whether torch.optim has this rule and these options."""
        return not {self.rule_name, *dict(self.given)} & {*NOT_IN_TORCH}

    @property
    def averaged(self):
        """With averages of the parameters."""
        return self.changed(ema_decay=0.9)

    def changed(self, **hyperparameters):
        """With other hyperparameters; what takes another state is left out."""
        given = dict(self.given)
        if "momentum" not in given:
            hyperparameters.pop("momentum", None)
        return replace(self, given=tuple((given | hyperparameters).items()))

    def reference(self, param, grad, *states, step):
        """A step of the reference."""
        arguments = {name: value for name, value in self.given if name not in STATE_FLAGS}
        ema_decay = arguments.pop("ema_decay", None)
        if ema_decay is not None:
            *states, ema = states
        state = dict(zip(self._state_names, states, strict=True))
        self.kind.reference(param, grad, **state, step=step, **{"weight_decay": 0.0} | arguments | self.kind.fixed)
        if ema_decay is not None:
            reference.average_step(ema, param, step=step, ema_decay=ema_decay)


VARIANTS = [Variant(name, tuple(given.items())) for name, kind in KINDS.items() for given in kind.kernels]
ONE_OF_EACH = list({variant.rule_name: variant for variant in VARIANTS}.values())  # with all its flags


def with_tensors(variants):
    """Those of rules that fastadam.torch has."""
    return [variant for variant in variants if variant.rule_name != "adopt"]


def of_both_types(variants):
    return [*variants, *(replace(variant, dtype="float64") for variant in variants)]


BOTH_TYPES = of_both_types(VARIANTS)
STEPS = (1, 2, 3, 1000, 100_000)


def hyperparameters(variant, k):
    """The k-th choice of a step number and hyperparameters, as a changed variant."""
    choices = variant.kind.hyperparameters
    return variant.changed(**choices[k % len(choices)]), STEPS[k % len(STEPS)]
