"""Parameter groups: how users pass them, the mapping that users see, and schedules."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from fastadam.optimizers.hyperparameters import Declaring, Hyperparameters
from fastadam.structure import Structure, is_sequence, listed

Given: TypeAlias = dict[str, Any]  # hyperparameters by name; some may be schedules


class Group(NamedTuple):
    """The hyperparameters of consecutive parameters."""

    size: int  # how many parameters
    given: Given
    hyperparameters: Hyperparameters  # the current values

    @classmethod
    def make(cls, kind: type[Declaring], size: int, given: Given, count: int) -> "Group":
        present = Hyperparameters(kind, {name: _at(kind, name, value, count) for name, value in given.items()})
        kept = {name: value if callable(value) else getattr(present, name) for name, value in given.items()}
        return cls(size, kept, present)

    @property
    def is_scheduled(self) -> bool:
        return any(callable(value) for value in self.given.values())

    def at(self, count: int) -> "Group":
        """The group with the values of its schedules after `count` steps."""
        kind, present = self.hyperparameters.kind, vars(self.hyperparameters)
        values = {name: _at(kind, name, value, count) for name, value in self.given.items() if callable(value)}
        if all(present[name] == value for name, value in values.items()):
            return self
        return self._with(self._replace(hyperparameters=self.hyperparameters.changed(values)), values)

    def changed(self, changes: Given, count: int) -> "Group":
        """The group with other hyperparameters, unless they need a different state."""
        return self._with(self.make(self.hyperparameters.kind, self.size, self.given | changes, count), changes)

    def _with(self, other: "Group", changes: Given) -> "Group":
        """`other`, made by `changes`, unless it needs a different state."""
        if not other.hyperparameters.rule.keeps_states_of(self.hyperparameters.rule):
            after, before = other.hyperparameters.initial_state, self.hyperparameters.initial_state
            names = changes or [name for name, value in self.given.items() if callable(value)]
            cause = ", ".join(f"{name} is {getattr(other.hyperparameters, name)!r}" for name in names)
            raise ValueError(
                f"{cause}, which needs the state {_words(after)}; this optimizer was created with {_words(before)}; "
                "create a new one"
            )
        return other


def _words(initial_state: dict[str, float | None]) -> str:
    return ", ".join(name + (f" from {value}" if value else "") for name, value in initial_state.items()) or "none"


def _at(kind: type[Declaring], name: str, value: Any, count: int) -> Any:
    """The value of a hyperparameter after `count` steps."""
    return kind._declared[name].check(f"{name}({count})", value(count)) if callable(value) else value


def parse(params: Any, kind: type[Declaring]) -> tuple[Structure, list[Any], list[tuple[int, Given]]]:
    """The structure and the members of `params`, and for each group its size and its own hyperparameters."""
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


def parse_group(group: Any, kind: type[Declaring], argument: str) -> tuple[Structure, list[Any], Given]:
    """The same for one group; error messages call it `argument`."""
    if not isinstance(group, Mapping) or "params" not in group:
        raise TypeError(
            f"{argument} is a {type(group).__name__} without 'params'; expected a group, {{'params': ..., 'lr': ...}}"
        )
    given = {name: value for name, value in group.items() if name != "params"}
    if unknown := [name for name in given if name not in kind._chosen]:
        raise TypeError(f"{argument} has {unknown}; expected 'params' and hyperparameters among {[*kind._chosen]}")
    for name, value in given.items():
        if not callable(value):
            kind._declared[name].check(f"{argument}[{name!r}]", value)
    params = listed(group["params"])
    structure = Structure(params, f"{argument}['params']")
    return structure, list(structure.flatten("params", params)), given


class ParamGroup(MutableMapping[str, Any]):
    """A group as users see it: a mapping with ``"params"`` and the hyperparameters, which can be set.

    A bad value raises and changes nothing.
    """

    def __init__(self, params: Sequence[Any], get: Callable[[], Group], change: Callable[[Given], Any]) -> None:
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
        return [*self._get().hyperparameters.kind._chosen]

    def __repr__(self) -> str:
        return repr(dict(self))
