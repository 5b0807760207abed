"""Groups of parameters that share hyperparameters: what users pass for them, what they see, and schedules."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

from fastadam.optimizers.options import Options
from fastadam.structure import Structure, is_sequence, listed

Hyperparameters = dict[str, Any]  # by name; values may be schedules


class Group(NamedTuple):
    """The hyperparameters of some neighbours among the parameters."""

    size: int  # parameters
    given: dict[str, Any]  # hyperparameters as the user gave them, some of which may be schedules
    options: Options  # and what they are at present

    @classmethod
    def make(cls, kind: type[Options], size: int, given: Hyperparameters, count: int) -> "Group":
        options = kind(**{name: _at(kind, name, value, count) for name, value in given.items()})
        kept = {name: value if callable(value) else getattr(options, name) for name, value in given.items()}
        return cls(size, kept, options)

    @property
    def is_scheduled(self) -> bool:
        return any(callable(value) for value in self.given.values())

    def at(self, count: int) -> "Group":
        """The group after `count` steps, for which its schedules are asked."""
        kind, present = type(self.options), vars(self.options)
        values = {name: _at(kind, name, value, count) for name, value in self.given.items() if callable(value)}
        if all(present[name] == value for name, value in values.items()):
            return self
        return self._with(self._replace(options=self.options.changed(values)), values)

    def changed(self, changes: Hyperparameters, count: int) -> "Group":
        """With other hyperparameters, unless those would take another state."""
        return self._with(self.make(type(self.options), self.size, self.given | changes, count), changes)

    def _with(self, other: "Group", changes: Hyperparameters) -> "Group":
        """`other`, which came of `changes`, unless it would take another state."""
        after, before = other.options.initial_state, self.options.initial_state
        if after != before:
            names = changes or [name for name, value in self.given.items() if callable(value)]
            cause = ", ".join(f"{name} is {getattr(other.options, name)!r}" for name in names)
            raise ValueError(
                f"{cause}, with which the state would be {_words(after)}; it is {_words(before)} since the optimizer was made; "
                "make a new optimizer"
            )
        return other


def _words(initial_state: dict[str, float | None]) -> str:
    return ", ".join(name + (f" from {value}" if value else "") for name, value in initial_state.items()) or "none"


def _at(kind: type[Options], name: str, value: Any, count: int) -> Any:
    """A hyperparameter after `count` steps."""
    return kind.check(name, value(count), f"{name}({count})") if callable(value) else value


def parse(params: Any, kind: type[Options]) -> tuple[Structure, list[Any], list[tuple[int, Hyperparameters]]]:
    """The structure and members of `params`, and each group's size and the hyperparameters that it names."""
    params = listed(params)
    if not is_sequence(params) or not any(isinstance(member, Mapping) for member in params):
        structure = Structure(params)
        members = list(structure.flatten("params", params))
        return structure, members, [(len(members), {})]
    parts = [parse_group(group, kind, f"params[{i}]") for i, group in enumerate(params)]
    structure = parts[0][0].as_sequence()
    for other, *_ in parts[1:]:
        structure = structure.extended(other)
    return structure, [m for _, members, _ in parts for m in members], [(len(members), given) for _, members, given in parts]


def parse_group(group: Any, kind: type[Options], argument: str) -> tuple[Structure, list[Any], Hyperparameters]:
    """The same for one group, which a user has passed as `argument`."""
    if not isinstance(group, Mapping) or "params" not in group:
        raise TypeError(
            f"{argument} is a {type(group).__name__} without 'params'; expected a group, {{'params': ..., 'lr': ...}}"
        )
    given = {name: value for name, value in group.items() if name != "params"}
    if unknown := [name for name in given if name not in kind.names()]:
        raise TypeError(f"{argument} has {unknown}; expected 'params' and hyperparameters among {kind.names()}")
    for name, value in given.items():
        if not callable(value):
            kind.check(name, value, f"{argument}[{name!r}]")
    params = listed(group["params"])
    structure = Structure(params, f"{argument}['params']")
    return structure, list(structure.flatten("params", params)), given


class Hyperparameter:
    """An attribute of an optimizer that may be changed between steps, unless that would take another state.

    It is that of all groups; reading it is an error if they differ. A value that is refused changes nothing.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        if optimizer is None:
            return self
        first, *others = [group.given[self._name] for group in optimizer._groups]
        if any(value != first for value in others):
            raise ValueError(f"{self._name} differs between groups: {[first, *others]}; read it in param_groups[i]")
        return first

    def __set__(self, optimizer: Any, value: Any) -> None:
        groups = optimizer._change(range(len(optimizer._groups)), {self._name: value})
        optimizer._defaults[self._name] = groups[0].given[self._name]


class ParamGroup(MutableMapping[str, Any]):
    """A group as users see it: a mapping from ``"params"`` and the names of hyperparameters, which may be set.

    A value that is refused changes nothing.
    """

    def __init__(self, params: Sequence[Any], get: Callable[[], Group], change: Callable[[Hyperparameters], Any]) -> None:
        self._params, self._get, self._change = params, get, change

    def __getitem__(self, name: str) -> Any:
        if name == "params":
            return list(self._params)
        if name not in self._names():
            raise KeyError(name)
        return self._get().given[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self._names():
            raise KeyError(f"{name!r} cannot be set in a group; expected one of {self._names()}")
        self._change({name: value})

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{name!r} cannot be deleted: a group has all hyperparameters; set it instead")

    def __iter__(self) -> Iterator[str]:
        return iter(["params", *self._names()])

    def __len__(self) -> int:
        return 1 + len(self._names())

    def _names(self) -> list[str]:
        return self._get().options.names()

    def __repr__(self) -> str:
        return repr(dict(self))
