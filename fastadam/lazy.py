"""Properties that are asked only while an instance has no value under their name, without a lock."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

_Value = TypeVar("_Value")


class if_missing(Generic[_Value]):
    """A property that is asked while the instance has no value under its name."""

    def __init__(self, compute: Callable[[Any], _Value]) -> None:
        self._compute, self.__doc__ = compute, compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> _Value: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else self._found(instance)

    def _found(self, instance: Any) -> _Value:
        return self._compute(instance)


class computed_once(if_missing[_Value]):
    """A property whose value is kept in the instance under its name. Two threads at once may both compute it.

    `functools.cached_property` takes a lock before Python 3.12, and Ctrl-C can leave it taken: then all other threads
    wait for ever.
    """

    def _found(self, instance: Any) -> _Value:
        value = vars(instance)[self._name] = self._compute(instance)
        return value
