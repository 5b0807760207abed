"""Hyperparameters of a rule, checked and turned into what the native module takes."""

import abc
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from fastadam import _native
from fastadam.hyperparameters import flag, optional_decay_rate


@dataclass(frozen=True)
class Options(abc.ABC):
    """Base of the rules' options, which are frozen dataclasses.

    A field has the name of the hyperparameter. Numbers become the native rule's options (``betas`` its ``beta1`` and
    ``beta2``), and bools its flags. A field that is not in the repr is the class's to say, not a user's.
    """

    rule_name: ClassVar[str]
    checks: ClassVar[Mapping[str, Callable[[str, Any], Any]]]  # of all fields of the rule but the bools

    ema_decay: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, self.check(each.name, getattr(self, each.name)))

    @classmethod
    def check(cls, name: str, value: Any, label: str | None = None) -> Any:
        """`value` as the hyperparameter `name` takes it, or an error that speaks of `label`."""
        check = optional_decay_rate if name == "ema_decay" else cls.checks.get(name, flag)
        return check(label or name, value)

    @classmethod
    def names(cls) -> list[str]:
        """The hyperparameters that users choose, in the order of the class's signature."""
        return [each.name for each in fields(cls) if each.repr]

    @property
    @abc.abstractmethod
    def rule_state(self) -> dict[str, float]:
        """The names of the rule's states, in the native rule's order, and what each is filled with at first."""

    @property
    def initial_state(self) -> dict[str, float]:
        """The names of all of a parameter's states, and what each is filled with at first."""
        return self.rule_state | ({} if self.ema_decay is None else {"ema": 0.0})

    @functools.cached_property
    def rule(self) -> _native.Rule:
        """The native rule."""
        options: dict[str, float] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "betas":
                options["beta1"], options["beta2"] = value
            elif each.compare and each.name != "ema_decay":
                options[each.name] = value
        return _native.Rule(self.rule_name, options, self.ema_decay)
