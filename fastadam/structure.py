"""The structure of `params`, which gradients and state share: one array, a sequence, a mapping, or groups of these."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class Structure:
    """Flattens values with the structure of `params` to a list and back, and names its members for error messages."""

    def __init__(self, params: Any, argument: str = "params") -> None:
        self._argument = argument
        self._keys: Sequence[Any] | None = None  # None: one array, which stands for itself
        self._is_mapping = isinstance(params, Mapping)
        if self._is_mapping:
            self._keys = tuple(params)
        elif is_sequence(params):
            self._keys = range(len(params))
        if self._keys is not None and not self._keys:
            raise ValueError(f"{argument} is an empty {_kind(params)}; expected at least one array (a size of zero is fine)")
        self._key_set = frozenset(self._keys) if self._is_mapping and self._keys else frozenset()
        self._names = [_item(argument, key) for key in self._keys] if self._keys is not None else [argument]

    def extended(self, other: "Structure") -> "Structure":
        """This structure followed by the members of `other`."""
        if self._keys is None:
            raise ValueError("params is one array, to which nothing can be added; make the optimizer with a list of arrays")
        if not self._is_mapping:
            return self._of(range(len(self._names) + len(other._names)), False, self._names + other._names)
        if not other._is_mapping:
            raise TypeError(f"{other._names[0]} has no key, but params is a mapping; pass a mapping from new keys to arrays")
        if taken := [key for key in other._keys or () if key in self._key_set]:
            raise ValueError(f"{other._names[0]} and others have keys that params has: {taken}; expected new ones")
        return self._of((*self._keys, *(other._keys or ())), True, self._names + other._names)

    def as_sequence(self) -> "Structure":
        """The same members with the same names as a sequence."""
        return self._of(range(len(self._names)), False, self._names)

    @classmethod
    def _of(cls, keys: Sequence[Any], is_mapping: bool, names: list[str]) -> "Structure":
        structure = cls.__new__(cls)
        structure._argument, structure._keys, structure._is_mapping, structure._names = "params", keys, is_mapping, names
        structure._key_set = frozenset(keys) if is_mapping else frozenset()
        return structure

    def plain(self) -> dict[str, Any]:
        """Its contents as plain values, for a pickle. :meth:`from_plain` is the inverse."""
        return dict(vars(self))

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Structure":
        structure = cls.__new__(cls)
        vars(structure).update(plain)
        return structure

    @property
    def param_names(self) -> list[str] | None:
        """The keys of a mapping as strings; None for other structures."""
        return [str(key) for key in self._keys or ()] if self._is_mapping else None

    def flatten(self, argument: str, values: Any) -> Sequence[Any]:
        """The members of `values` in the order of `params`; raises an error that names `argument` if the structure differs."""
        if self._keys is None:
            if isinstance(values, Mapping) or is_sequence(values):
                raise TypeError(f"{argument} is a {_kind(values)}, but params is one array; pass one array")
            return [values]
        if self._is_mapping:
            if not isinstance(values, Mapping):
                raise TypeError(f"{argument} is a {_kind(values)}, but params is a mapping; pass a mapping with the same keys")
            if values.keys() != self._key_set:
                missing = [key for key in self._keys if key not in values]
                unexpected = [key for key in values if key not in self._keys]
                raise ValueError(f"{argument} does not have the keys of params: missing {missing}, unexpected {unexpected}")
            return [values[key] for key in self._keys]
        if not is_sequence(values):
            raise TypeError(f"{argument} is a {_kind(values)}, but params is a sequence; pass a list or tuple of arrays")
        if len(values) != len(self._keys):
            raise ValueError(f"{argument} has {len(values)} members, but params has {len(self._keys)}; pass one for each")
        members: Sequence[Any] = values
        return members

    def unflatten(self, members: Sequence[Any]) -> Any:
        """`members` in the structure of `params`."""
        if self._keys is None:
            return members[0]
        return dict(zip(self._keys, members, strict=True)) if self._is_mapping else tuple(members)

    def name(self, argument: str, index: int) -> str:
        """The expression with which a user would get member `index` of `argument`."""
        if argument == self._argument:
            return self._names[index]
        return argument if self._keys is None else _item(argument, self._keys[index])


def is_sequence(values: Any) -> bool:
    """Whether `values` is a sequence of arrays, judging by its type."""
    # The first test is for speed: every step calls this, and isinstance with an abstract base class is slow.
    return type(values) is list or (isinstance(values, Sequence) and not isinstance(values, str | bytes | memoryview))


def listed(values: Any) -> Any:
    """An iterator as a list, which can be read more than once; anything else unchanged."""
    return list(values) if isinstance(values, Iterator) else values


def _item(argument: str, key: Any) -> str:
    return f"{argument}[{key!r}]"


def _kind(values: Any) -> str:
    return type(values).__name__
