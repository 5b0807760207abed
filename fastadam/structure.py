"""The structure of `params`, which gradients and state share: arrays in mappings and sequences, or groups of these."""

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from fastadam.backends.devices import has, is_array

_MOST_LISTED = 10  # keys in a message

# The mapping or list that an array is in and its key there; None if no other array can take its place.
Origin: TypeAlias = tuple[Any, Any] | None


class Structure:
    """Flattens values with the structure of `params` to a list and back, and names its members for error messages."""

    def __init__(self, params: Any, argument: str = "params", is_inner: bool = False) -> None:
        self._argument = argument
        self._keys: Sequence[Any] | None = None  # None: one array, which stands for itself
        self._is_mapping = isinstance(params, Mapping)
        if self._is_mapping:
            self._keys = tuple(params)
        elif is_sequence(params):
            self._keys = range(len(params))
        self._key_set = frozenset(self._keys) if self._is_mapping and self._keys else frozenset()
        self._children: dict[int, Structure] = {}  # of members that are not arrays, by their position
        self.origins: list[Origin] = []
        if self._keys is None:
            self._names = [argument]
            self.origins.append(None)
            return
        self._names = []  # of all arrays, as `params` has them
        for i, key in enumerate(self._keys):
            name = _item(argument, key)
            if _is_branch(member := params[key]):
                self._children[i] = Structure(member, name, is_inner=True)
                self._names += self._children[i]._names
                self.origins += self._children[i].origins
            else:
                self._names.append(name)
                lasts = isinstance(params, tuple) or params[key] is not member
                self.origins.append(None if lasts else (params, key))
        if not self._names and not is_inner:
            raise ValueError(f"{argument} is an empty {_kind(params)}; expected at least one array (a size of zero is fine)")

    @property
    def is_one(self) -> bool:
        """Whether it is one array, which stands for itself."""
        return self._keys is None

    @property
    def is_mapping(self) -> bool:
        """Whether the outermost level is a mapping."""
        return self._is_mapping

    @property
    def keys(self) -> Collection[Any]:
        """The keys of a mapping."""
        return self._key_set

    def expect_room_for(self, other: "Structure", taken: Collection[Any]) -> None:
        """Raise an error if the members of `other` cannot follow; `taken` are the keys that there are."""
        if self._keys is None:
            raise ValueError("params is one array, to which nothing can be added; make the optimizer with a list of arrays")
        if not self._is_mapping:
            return
        if not other._is_mapping:
            raise TypeError(f"{other._names[0]} has no key, but params is a mapping; pass a mapping from new keys to arrays")
        if both := [key for key in other._keys or () if key in taken]:
            raise ValueError(f"{other._names[0]} and others have keys that params has: {_few(both)}; expected new ones")

    def extended(self, others: Iterable["Structure"]) -> "Structure":
        """This structure followed by the members of others, for which there is room."""
        keys, names, children = list(self._keys or ()), list(self._names), dict(self._children)
        origins = list(self.origins)
        for other in others:
            names += other._names
            origins += other.origins
            if self._is_mapping:
                children |= {len(keys) + i: child for i, child in other._children.items()}
                keys += other._keys or ()
            else:
                keys += other._names  # as many
        return self._of(tuple(keys) if self._is_mapping else range(len(keys)), self._is_mapping, names, children, origins)

    def as_sequence(self) -> "Structure":
        """The same arrays with the same names as a sequence."""
        return self._of(range(len(self._names)), False, self._names, {}, self.origins)

    @classmethod
    def _of(
        cls,
        keys: Sequence[Any],
        is_mapping: bool,
        names: list[str],
        children: dict[int, "Structure"],
        origins: list[Origin],
    ) -> "Structure":
        structure = cls.__new__(cls)
        structure._argument, structure._keys, structure._is_mapping, structure._names = "params", keys, is_mapping, names
        structure._key_set, structure._children = frozenset(keys) if is_mapping else frozenset(), children
        structure.origins = origins
        return structure

    def plain(self) -> dict[str, Any]:
        """Its contents as plain values, for a pickle. :meth:`from_plain` is the inverse."""
        origins = [origin if origin and type(origin[0]) in (dict, list) else None for origin in self.origins]
        return vars(self) | {"_children": {i: child.plain() for i, child in self._children.items()}, "origins": origins}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Structure":
        structure = cls.__new__(cls)
        children = {i: cls.from_plain(child) for i, child in plain.get("_children", {}).items()}
        vars(structure).update(plain, _children=children)
        return structure

    @property
    def param_names(self) -> list[str] | None:
        """The keys that lead to each array, as in ``"encoder.0.weight"``; None if there are none but one sequence's."""
        if not self._is_mapping and not self._children:
            return None
        return [".".join(map(str, path)) for path in self._paths()]

    def _paths(self) -> Iterator[tuple[Any, ...]]:
        if self._keys is None:
            yield ()
        for i, key in enumerate(self._keys or ()):
            child = self._children.get(i)
            yield from [(key,)] if child is None else ((key, *path) for path in child._paths())

    def flatten(self, argument: str, values: Any) -> Sequence[Any]:
        """The members of `values` in the order of `params`; raises an error that names `argument` if the structure differs."""
        if self._keys is None:
            if type(values) is np.ndarray:  # for speed, as is_sequence
                return [values]
            if not has(values, "__dlpack__") and (isinstance(values, Mapping) or is_sequence(values)):
                raise TypeError(f"{argument} is a {_kind(values)}, but {self._argument} is one array; pass one array")
            return [values]
        members: Sequence[Any]
        if self._is_mapping:
            members = self._looked_up(argument, values)
        else:
            if not is_sequence(values) and not is_sequence(values := listed(values, argument)):
                raise TypeError(
                    f"{argument} is a {_kind(values)}, but {self._argument} is a sequence; pass a list or tuple of arrays"
                )
            if len(values) != len(self._keys):
                raise ValueError(
                    f"{argument} has {len(values)} members, but {self._argument} has {len(self._keys)}; pass one for each"
                )
            members = values
        return self._arrays(argument, members) if self._children else members

    def _looked_up(self, argument: str, values: Any) -> list[Any]:
        """The members of a mapping in the order of the keys of `params`."""
        keys = self._keys or ()
        if type(values) is dict and len(values) == len(keys):  # for speed; what follows is for all mappings
            try:
                return [*map(values.__getitem__, keys)]
            except KeyError:
                pass  # what follows says which
        if not isinstance(values, Mapping):
            raise TypeError(
                f"{argument} is a {_kind(values)}, but {self._argument} is a mapping; pass a mapping with the same keys"
            )
        if values.keys() != self._key_set:
            missing = [key for key in keys if key not in values]
            unexpected = [key for key in values if key not in self._key_set]
            raise ValueError(
                f"{argument} does not have the keys of {self._argument}: missing {_few(missing)}, unexpected {_few(unexpected)}"
            )
        return [values[key] for key in keys]

    def _arrays(self, argument: str, members: Sequence[Any]) -> list[Any]:
        """All arrays of members some of which are not arrays."""
        arrays: list[Any] = []
        for i, (key, member) in enumerate(zip(self._keys or (), members, strict=True)):
            child = self._children.get(i)
            if child is None:
                arrays.append(member)
            else:
                arrays += child.flatten(_item(argument, key), member)
        return arrays

    def unflatten(self, arrays: Sequence[Any]) -> Any:
        """`arrays` in the structure of `params`, with tuples for sequences."""
        if self._keys is None:
            return arrays[0]
        members = arrays
        if self._children:
            rest = iter(arrays)
            children = map(self._children.get, range(len(self._keys)))
            members = [next(rest) if c is None else c.unflatten([next(rest) for _ in c._names]) for c in children]
        return dict(zip(self._keys, members, strict=True)) if self._is_mapping else tuple(members)

    def name(self, argument: str, index: int) -> str:
        """The expression with which a user would get array `index` of `argument`."""
        if argument == self._argument:
            return self._names[index]
        return argument + "".join(f"[{key!r}]" for key in next(itertools.islice(self._paths(), index, None)))


def is_sequence(values: Any) -> bool:
    """Whether `values` is a sequence of arrays, judging by its type."""
    # The first test is for speed: every step calls this, and isinstance with an abstract base class is slow.
    return type(values) is list or (
        isinstance(values, Sequence) and not isinstance(values, str | bytes | bytearray | memoryview)
    )


def listed(values: Any, argument: str) -> Any:
    """A list of what an iterable has that is neither a sequence, a mapping nor an array; anything else unchanged."""
    if isinstance(values, set | frozenset):
        raise TypeError(f"{argument} is a {_kind(values)}, which has no order; pass a list, tuple or mapping")
    is_other = isinstance(values, Mapping | Sequence | bytearray) or is_array(values)
    return list(values) if isinstance(values, Iterable) and not is_other else values


def _is_branch(member: Any) -> bool:
    """Whether `member` has arrays in it; not a list of numbers, which someone took for an array."""
    if isinstance(member, list | tuple):
        return not member or not isinstance(member[0], int | float)
    return isinstance(member, Mapping)


def _few(keys: Sequence[Any]) -> str:
    """A list of keys, or the first ones of many."""
    more = f" and {len(keys) - _MOST_LISTED} more" if len(keys) > _MOST_LISTED else ""
    return f"{list(keys[:_MOST_LISTED])}{more}"


def _item(argument: str, key: Any) -> str:
    return f"{argument}[{key!r}]"


def _kind(values: Any) -> str:
    return type(values).__name__
