"""Hyperparameters: each is declared once, on its optimizer's class; their checked values are one immutable object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, Self, TypeVar, overload

from fastadam import _native
from fastadam.backends.dtypes import DType
from fastadam.lazy import computed_once
from fastadam.optimizers.checks import Scheduled, beta_pair, decay_rate, expect_within, non_negative, optional_decay_rate
from fastadam.optimizers.unknown_names import hint, hinting, meant, misspelt

_Value = TypeVar("_Value")


class Hyperparameter(Generic[_Value]):
    """A hyperparameter as its optimizer's class declares it: its check, its default and a line of documentation.

    It is also the attribute with which users read and set it for all groups. Reading raises if the groups differ. Setting
    raises if the value is bad, or if it needs a different state; then nothing changes.
    """

    def __init__(
        self,
        check: Callable[[str, Any], _Value],
        default: _Value,
        doc: str,
        *,
        implied: bool = False,  # fixed by the class, not chosen by users
        used_once: bool = False,  # when the state is made, so that a schedule would make no sense
        is_later: bool = False,  # younger than files: they leave it out where it is the default, so that theirs stay the same
        is_storage: bool = False,  # how arrays are stored, no option of the rule; also later
        unasked: _Value | None = None,  # what a schedule stands for until it is asked, if not the default
    ) -> None:
        self.check, self.default, self.implied, self.used_once = check, default, implied, used_once or is_storage
        self.is_later, self.is_storage = is_later or is_storage, is_storage
        self.unasked = default if unasked is None else unasked
        self.__doc__ = doc

    def with_default(self, default: _Value) -> Hyperparameter[_Value]:
        """The same hyperparameter for a subclass with another default."""
        unasked = None if self.unasked == self.default else self.unasked
        flags = {"implied": self.implied, "used_once": self.used_once, "is_later": self.is_later, "is_storage": self.is_storage}
        return Hyperparameter(self.check, default, self.__doc__ or "", unasked=unasked, **flags)

    @property
    def not_negative(self) -> bool:
        """Whether it is a number, or a pair of numbers, that cannot be below zero."""
        return self.check is non_negative or self._is_rate

    @property
    def _is_rate(self) -> bool:
        return self.check in (decay_rate, optional_decay_rate, beta_pair)

    def checked(self, name: str, value: Any, dtype: DType) -> _Value:
        """The value as the rules use it for elements of a type, or an error that calls it `name`."""
        number = self.check(name, value)
        expect_within(dtype, name, value, number, self._is_rate)
        return number

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, optimizer: None, owner: type) -> Self: ...
    @overload
    def __get__(self, optimizer: object, owner: type | None = None) -> _Value | Any: ...  # Any: it may be a schedule
    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        if optimizer is None:
            return self
        first, *others = [group.given[self._name] for group in optimizer._groups]
        if any(value != first for value in others):
            raise ValueError(f"{self._name} differs between groups: {[first, *others]}; read it in param_groups[i]")
        return first

    def __set__(self, optimizer: Any, value: Scheduled[_Value]) -> None:
        if self.implied:
            raise AttributeError(f"{self._name} cannot be set: it is always {self.default} for {type(optimizer).__name__}")
        groups = optimizer._change(range(len(optimizer._groups)), {self._name: value})
        optimizer._defaults[self._name] = groups[0].given[self._name]


class Declaring:
    """Base of classes that declare hyperparameters: collects the declarations and refuses unknown attributes.

    A class's own hyperparameters come before inherited ones.
    """

    _attributes: ClassVar[frozenset[str]] = frozenset()  # other attributes of instances
    _rule_name: ClassVar[str]  # the native rule
    _declared: ClassVar[Mapping[str, Hyperparameter[Any]]] = MappingProxyType({})  # by name, in the order of the signature
    _chosen: ClassVar[tuple[str, ...]] = ()  # names of those that users choose

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own, inherited = {k: v for k, v in vars(cls).items() if isinstance(v, Hyperparameter)}, cls._declared
        new = {name: value for name, value in own.items() if name not in inherited}
        cls._declared = MappingProxyType(new | {name: own.get(name, value) for name, value in inherited.items()})
        cls._chosen = tuple(name for name, value in cls._declared.items() if not value.implied)
        if "__init__" in vars(cls) and _is_ours(cls):
            cls.__init__ = hinting(cls.__init__, cls._chosen)  # type: ignore[method-assign]

    if not TYPE_CHECKING:  # type checkers would then accept any name

        def __setattr__(self, name: str, value: Any) -> None:
            cls = type(self)
            if name not in self._attributes and not hasattr(cls, name):
                # A user's subclass may have its own attributes, but a misspelt hyperparameter is still a mistake.
                likely = (meant if _is_ours(cls) else misspelt)(name, cls._chosen)
                if _is_ours(cls) or (likely and not name.startswith("_")):
                    raise AttributeError(f"{cls.__name__} has no attribute {name!r}{hint(likely, name)}")
            object.__setattr__(self, name, value)

    @staticmethod
    def _check_together(values: Hyperparameters) -> None:
        """Raise an error if valid values do not fit together."""


def _is_ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == "fastadam"


def with_later(kind: type[Declaring], given: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters with the defaults of later ones, which files and pickles from before they existed do not have."""
    defaults = {name: one.default for name, one in kind._declared.items() if one.is_later and name not in given}
    return {**given, **defaults}


_CACHED = ("rule", "initial_state")


class Hyperparameters:
    """The checked values of an optimizer's hyperparameters, as attributes. Immutable; equal if all values are."""

    # Not a data class for each optimizer: those compile their methods at import, which would double the package's import time.

    _kind: type[Declaring]
    _dtype: DType  # of the parameters

    def __init__(self, kind: type[Declaring], given: Mapping[str, Any], dtype: DType) -> None:
        complete = with_later(kind, given)
        if complete.keys() != kind._declared.keys():
            raise TypeError(f"{kind.__name__} got hyperparameters {[*given]}; expected {[*kind._declared]}")
        vars(self).update(_kind=kind, _dtype=dtype)
        vars(self).update(self.checked(complete))
        kind._check_together(self)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The checked values of some hyperparameters."""
        declared = self._kind._declared
        return {name: declared[name].checked(name, given[name], self._dtype) for name in declared if name in given}

    def changed(self, values: Mapping[str, Any]) -> Hyperparameters:
        """A copy with other values, which were checked, for some."""
        other = object.__new__(Hyperparameters)
        vars(other).update({name: values.get(name, value) for name, value in vars(self).items() if name not in _CACHED})
        self._kind._check_together(other)
        return other

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError("hyperparameters are immutable; create new ones")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("hyperparameters are immutable; create new ones")

    def __eq__(self, other: object) -> bool:
        return self._all == other._all if isinstance(other, Hyperparameters) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._all)

    def __repr__(self) -> str:
        return f"Hyperparameters({', '.join(f'{name}={getattr(self, name)!r}' for name in self._kind._chosen)})"

    @property
    def _all(self) -> tuple[Any, ...]:
        return self._kind._rule_name, *(getattr(self, name) for name in self._kind._declared)

    @property
    def kind(self) -> type[Declaring]:
        """The optimizer's class."""
        return self._kind

    @property
    def dtype(self) -> DType:
        """The type of the parameters' elements, in which the values are used."""
        return self._dtype

    @computed_once
    def initial_state(self) -> dict[str, float | None]:
        """The names of all states of a parameter, with their initial values; None is a copy of the parameter."""
        return dict(self.rule.states) | ({} if self.ema_decay is None else {"ema": 0.0})

    @computed_once
    def rule(self) -> _native.Rule:
        """The native rule."""
        options: dict[str, float] = {}
        for name in self._kind._declared:
            value = getattr(self, name)
            if self._kind._declared[name].is_storage:
                continue
            if name == "betas":
                options["beta1"], options["beta2"] = value
            elif value is not None:  # as ema_decay may be
                options[name] = value
        return _native.Rule(self._kind._rule_name, options, self._dtype, self.state_dtype, self.master, self.seed)
