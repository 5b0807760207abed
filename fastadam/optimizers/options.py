"""Hyperparameters of a rule, checked and turned into what the native module takes."""

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar, NoReturn, Self

from fastadam import _native
from fastadam.optimizers.checks import flag, optional_decay_rate


class Options:
    """Base of the rules' options: immutable, and equal if all their fields are.

    A subclass annotates its fields, each with the name of the hyperparameter, and they are keyword arguments of its
    constructor. Numbers become the native rule's options (``betas`` its ``beta1`` and ``beta2``), and bools its flags.
    """

    # A data class would be the same, but compiles its methods when it is imported: for all rules, half the package's time.

    rule_name: ClassVar[str]
    checks: ClassVar[Mapping[str, Callable[[str, Any], Any]]]  # of all fields of the rule but the bools
    implied: ClassVar[Collection[str]] = ()  # fields that the optimizer's class says, not a user
    fields: ClassVar[tuple[str, ...]]

    ema_decay: float | None

    def __init_subclass__(cls) -> None:
        cls.fields = ("ema_decay", *cls.__annotations__)

    def __init__(self, *, ema_decay: Any = None, **hyperparameters: Any) -> None:
        given = {"ema_decay": ema_decay, **hyperparameters}
        if given.keys() != set(self.fields):
            raise TypeError(f"{type(self).__name__} got {[*given]}; expected {[*self.fields]}")
        vars(self).update({name: self.check(name, given[name]) for name in self.fields})
        self._check_together()

    def changed(self, values: Mapping[str, Any]) -> Self:
        """A copy in which some fields have other values, which :meth:`check` has returned."""
        other = object.__new__(type(self))
        vars(other).update({name: values.get(name, value) for name, value in vars(self).items() if name in self.fields})
        other._check_together()
        return other

    def _check_together(self) -> None:
        """Raise an error if fields, each of which is good, do not go together."""

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed; make another")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed; make another")

    def __eq__(self, other: object) -> bool:
        return self._values == other._values if isinstance(other, Options) and type(self) is type(other) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.names())})"

    @property
    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.fields)

    @classmethod
    def check(cls, name: str, value: Any, label: str | None = None) -> Any:
        """`value` as the hyperparameter `name` takes it, or an error that speaks of `label`."""
        check = optional_decay_rate if name == "ema_decay" else cls.checks.get(name, flag)
        return check(label or name, value)

    @classmethod
    def names(cls) -> list[str]:
        """The hyperparameters that users choose."""
        return [name for name in cls.fields if name not in cls.implied]

    @functools.cached_property
    def initial_state(self) -> dict[str, float | None]:
        """The names of all of a parameter's states, and what each is full of at first; None: it is a copy of the parameter."""
        return dict(self.rule.states) | ({} if self.ema_decay is None else {"ema": 0.0})

    @functools.cached_property
    def rule(self) -> _native.Rule:
        """The native rule."""
        options: dict[str, float] = {}
        for name in self.fields:
            value = getattr(self, name)
            if name == "betas":
                options["beta1"], options["beta2"] = value
            elif name != "ema_decay":
                options[name] = value
        return _native.Rule(self.rule_name, options, self.ema_decay)
