"""Parameter groups: how users pass them, the mapping that users see, and schedules."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias, overload

from fastadam.backends.dtypes import DType, dtype_of
from fastadam.optimizers.hyperparameters import Declaring, Hyperparameters, with_later
from fastadam.optimizers.schedules import is_schedule, plain
from fastadam.structure import Structure, is_sequence, listed

Given: TypeAlias = dict[str, Any]  # hyperparameters by name; some may be schedules


class Group(NamedTuple):
    """The hyperparameters of consecutive parameters."""

    size: int  # how many parameters
    given: Given
    hyperparameters: Hyperparameters  # the current values; of schedules those that the last step used
    unasked: frozenset[str]  # schedules that no step has asked yet, for which a value of their kind stands

    @classmethod
    def make(cls, kind: type[Declaring], size: int, given: Given, dtype: DType) -> "Group":
        """A group as it is before its first step: no schedule is asked."""
        given = with_later(kind, given)
        unasked, present = _present(kind, given)
        checked = Hyperparameters(kind, present, dtype)
        kept = {name: value if name in unasked else getattr(checked, name) for name, value in given.items()}
        return cls(size, kept, checked, unasked)

    @property
    def schedules(self) -> Given:
        return {name: value for name, value in self.given.items() if callable(value)}

    def at(self, values: Given) -> "Group":
        """The group with the values of its schedules, unless they need a different state."""
        values = {name: values[name] for name in self.schedules}  # in the order of messages
        return self._with(self._replace(hyperparameters=self.hyperparameters.changed(values), unasked=frozenset()), values)

    def changed(self, changes: Given) -> "Group":
        """The group with other hyperparameters, unless they need a different state. Schedules that it keeps are not asked."""
        unasked, present = _present(self.hyperparameters.kind, changes)
        values = self.hyperparameters.checked(present)
        given = self.given | {name: changes[name] if name in unasked else value for name, value in values.items()}
        kept = self.unasked - changes.keys() if self.unasked else self.unasked
        return self._with(Group(self.size, given, self.hyperparameters.changed(values), kept | unasked), changes)

    def _with(self, other: "Group", changes: Given) -> "Group":
        """`other`, made by `changes`, unless it needs a different state."""
        if not other.hyperparameters.rule.keeps_states_of(self.hyperparameters.rule):
            if any(self.hyperparameters.kind._declared[name].is_storage for name in changes):
                raise ValueError(f"{', '.join(changes)} cannot be set: how arrays are stored is fixed; create a new optimizer")
            after, before = other.hyperparameters.initial_state, self.hyperparameters.initial_state
            cause = ", ".join(
                f"{name} is {'a schedule' if name in other.unasked else repr(getattr(other.hyperparameters, name))}"
                for name in changes
            )
            raise ValueError(
                f"{cause}, which needs the state {_words(after)}; this optimizer was created with {_words(before)}; "
                "create a new one"
            )
        return other

    @property
    def current(self) -> Mapping[str, Any]:
        """The current values by name; None for a schedule that no step has asked yet."""
        present, kind = self.hyperparameters, self.hyperparameters.kind
        return MappingProxyType({name: None if name in self.unasked else getattr(present, name) for name in kind._chosen})


def _present(kind: type[Declaring], given: Given) -> tuple[frozenset[str], Given]:
    """The schedules in `given`, and its values, with values that stand for schedules."""
    unasked = frozenset([name for name, value in given.items() if is_schedule(kind, name, value)])
    return unasked, {name: kind._declared[name].unasked if name in unasked else plain(value) for name, value in given.items()}


def _words(initial_state: dict[str, float | None]) -> str:
    return ", ".join(name + (f" from {value}" if value else "") for name, value in initial_state.items()) or "none"


def parse(params: Any, kind: type[Declaring]) -> tuple[Structure, list[Any], list[tuple[int, Given]]]:
    """The structure and the members of `params`, and for each group its size and its own hyperparameters."""
    params = listed(params, "params")
    if not is_sequence(params) or not any(isinstance(member, Mapping) and "params" in member for member in params):
        structure = Structure(params)
        members = list(structure.flatten("params", params))
        return structure, members, [(len(members), {})]
    parts = [parse_group(group, kind, f"params[{i}]") for i, group in enumerate(params)]
    structure = _together([each for each, *_ in parts])
    return structure, [m for _, members, _ in parts for m in members], [(len(members), given) for _, members, given in parts]


def _together(structures: Sequence[Structure]) -> Structure:
    """The structure of groups: one mapping if each is a mapping, as if the others had been added; otherwise a sequence."""
    first, *others = structures
    if not all(each.is_mapping for each in structures):
        return first.as_sequence().extended(others)
    taken = set(first.keys)
    for other in others:
        first.expect_room_for(other, taken)
        taken.update(other.keys)
    return first.extended(others)


def parse_group(group: Any, kind: type[Declaring], argument: str) -> tuple[Structure, list[Any], Given]:
    """The same for one group; error messages call it `argument`."""
    if not isinstance(group, Mapping) or "params" not in group:
        raise TypeError(
            f"{argument} is a {type(group).__name__} without 'params'; expected a group, {{'params': ..., 'lr': ...}}"
        )
    given = {name: value for name, value in group.items() if name != "params"}
    if unknown := [name for name in given if name not in kind._chosen]:
        raise TypeError(f"{argument} has {unknown}; expected 'params' and hyperparameters among {[*kind._chosen]}")
    params = listed(group["params"], argument_of_params := f"{argument}['params']")
    structure = Structure(params, argument_of_params)
    members = list(structure.flatten("params", params))
    for name, value in given.items():
        if not is_schedule(kind, name, value):
            kind._declared[name].checked(f"{argument}[{name!r}]", plain(value), dtype_of(members[0]))
    return structure, members, given


class ParamGroup(MutableMapping[str, Any]):
    """A group as users see it: a mapping with ``"params"`` and the hyperparameters, which can be set.

    A bad value raises and changes nothing.
    """

    def __init__(self, params: Callable[[], list[Any]], get: Callable[[], Group], change: Callable[[Given], Any]) -> None:
        self._params, self._get, self._change = params, get, change

    @property
    def current(self) -> Mapping[str, Any]:
        """The hyperparameters as the next step will find them, to read: of a schedule the value in the last step.

        That value is None if no step has asked the schedule yet.
        """
        return self._get().current

    def __getitem__(self, name: str) -> Any:
        if name == "params":
            return self._params()
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


class ParamGroups(Sequence[ParamGroup]):
    """The groups of an optimizer as users see them, each made when it is asked for."""

    def __init__(self, count: int, group: Callable[[int], ParamGroup]) -> None:
        self._numbers, self._group = range(count), group

    @overload
    def __getitem__(self, index: int) -> ParamGroup: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ParamGroup, ...]: ...
    def __getitem__(self, index: int | slice) -> ParamGroup | tuple[ParamGroup, ...]:
        which = self._numbers[index]
        return self._group(which) if isinstance(which, int) else tuple(map(self._group, which))

    def __len__(self) -> int:
        return len(self._numbers)

    def __repr__(self) -> str:
        return repr([*self])
