"""The type of an optimizer's state, which follows from that of its parameters. Only type checkers read this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, overload

from fastadam.typing import Array, Branch, State

if TYPE_CHECKING:
    from fastadam.optimizers.base import Optimizer

_Key = TypeVar("_Key")


class StateOf:
    """What type checkers see in place of the property ``Optimizer.state``; properties have no overloads."""

    @overload
    def __get__(self, optimizer: Optimizer[Array], owner: type | None = None) -> State: ...
    @overload
    def __get__(self, optimizer: Optimizer[Mapping[_Key, Array]], owner: type | None = None) -> dict[_Key, State]: ...
    @overload
    def __get__(self, optimizer: Optimizer[Mapping[_Key, Branch]], owner: type | None = None) -> dict[_Key, Any]: ...
    @overload
    def __get__(self, optimizer: Optimizer[Sequence[Mapping[str, Any]]], owner: type | None = None) -> Any: ...
    @overload
    def __get__(self, optimizer: Optimizer[Any], owner: type | None = None) -> tuple[State, ...]: ...
    def __get__(self, optimizer: Any, owner: type | None = None) -> Any: ...
    def __set__(self, optimizer: Any, value: NoReturn) -> None: ...
