"""The structure of `params`: one array, a sequence or a mapping. Gradients and state have the same one."""

from collections.abc import Mapping, Sequence
from typing import Any


class Structure:
    """Turns what is structured like `params` into a list and back, and names its members for error messages."""

    def __init__(self, params: Any) -> None:
        self._keys: Sequence[Any] | None = None  # None: one array, which stands for itself
        self._is_mapping = isinstance(params, Mapping)
        if self._is_mapping:
            self._keys = tuple(params)
        elif _is_sequence(params):
            self._keys = range(len(params))
        self._key_set = frozenset(self._keys) if self._is_mapping and self._keys else frozenset()
        if self._keys is not None and not self._keys:
            raise ValueError(f"params is an empty {_kind(params)}; expected at least one array (a size of zero is fine)")

    def flatten(self, argument: str, values: Any) -> Sequence[Any]:
        """The members of `values` in the order of `params`; an error that names `argument` if the structure differs."""
        if self._keys is None:
            if isinstance(values, Mapping) or _is_sequence(values):
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
        if not _is_sequence(values):
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
        """What a user would write for member `index` of `argument`."""
        return argument if self._keys is None else f"{argument}[{self._keys[index]!r}]"


def _is_sequence(values: Any) -> bool:
    # The first test is for speed: steps come through here, and an abstract base class is slow to ask.
    return type(values) is list or (isinstance(values, Sequence) and not isinstance(values, str | bytes | memoryview))


def _kind(values: Any) -> str:
    return type(values).__name__
