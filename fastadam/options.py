"""Hyperparameters of a rule, checked and turned into what the native module takes."""

import abc
import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from fastadam import _native
from fastadam.hyperparameters import flag


class Options(abc.ABC):
    """Base of the rules' options, which are frozen dataclasses.

    A field has the name of the hyperparameter. Numbers become the native rule's options (``betas`` its ``beta1`` and
    ``beta2``), and bools its flags.
    """

    rule_name: ClassVar[str]
    checks: ClassVar[Mapping[str, Callable[[str, Any], Any]]]  # of all fields but the bools
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            check: Callable[[str, Any], Any] = self.checks.get(name, flag)
            object.__setattr__(self, name, check(name, getattr(self, name)))

    @property
    @abc.abstractmethod
    def initial_state(self) -> dict[str, float]:
        """The names of a parameter's states, in the native rule's order, and what each is filled with at first."""

    @functools.cached_property
    def rule(self) -> _native.Rule:
        """The native rule."""
        numbers, flags = {}, self._native_flags()
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name == "betas":
                numbers["beta1"], numbers["beta2"] = value
            elif isinstance(value, bool):
                flags[name] = value
            else:
                numbers[name] = value
        return _native.Rule(self.rule_name, numbers, {name for name, is_set in flags.items() if is_set})

    def _native_flags(self) -> dict[str, bool]:
        """Flags that follow from the values of other fields."""
        # Without decay the term is left out, not multiplied by zero: 0 * Inf would be NaN.
        return {"coupled": getattr(self, "weight_decay", 0.0) != 0.0 and not getattr(self, "decoupled_weight_decay", False)}
