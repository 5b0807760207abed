"""What all optimizers share: the structure of parameters, their state, and the one native call of a step."""

import dataclasses
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from fastadam import _native
from fastadam.refusals import GRAD, PARAM, STATE, explain
from fastadam.runtime import thread_count
from fastadam.structure import Structure


class Options(Protocol):
    """A rule's hyperparameters: a frozen dataclass whose values have been checked."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def state_names(self) -> tuple[str, ...]: ...

    @property
    def rule(self) -> _native.Rule: ...


class Hyperparameter:
    """An attribute of an optimizer that may be changed between steps. A value that is refused changes nothing."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        return self if optimizer is None else getattr(optimizer._options, self._name)

    def __set__(self, optimizer: Any, value: Any) -> None:
        optimizer._set_options(dataclasses.replace(optimizer._options, **{self._name: value}))


class Optimizer:
    """Base class; a subclass makes the options of its rule and shows them as attributes."""

    def __init__(self, params: Any, options: Options) -> None:
        self._set_options(options)
        self._state_names = state_names = options.state_names
        if isinstance(params, Iterator):
            params = list(params)
        self._structure = Structure(params)
        self._params = list(self._structure.flatten("params", params))
        states = [_zeros_like(param, len(state_names)) for param in self._params]
        try:
            self._tensors = _native.Tensors(self._params, states)
        except _native.Refused as refused:
            raise explain(refused, self._lookup) from None
        self._steps = np.zeros(len(states), np.int64)
        self._states = [
            MappingProxyType({"step": self._steps[i : i + 1].reshape(())} | dict(zip(state_names, state, strict=True)))
            for i, state in enumerate(states)
        ]

    def _set_options(self, options: Options) -> None:
        self._options, self._rule = options, options.rule

    @property
    def state(self) -> Any:
        """The state, in the structure of `params`.

        Each parameter's is a read-only mapping from ``"step"`` (a 0-d int64 array, the number of steps taken) and the names
        of the moments (float32, of the parameter's shape) to arrays that may be written to.
        """
        return self._structure.unflatten(self._states)

    def step(self, grads: Any, *, num_threads: SupportsIndex | None = None) -> None:
        """Take one step: update every parameter and its state in place, in one native call that releases the GIL.

        Parameters
        ----------
        grads : array, sequence or mapping
            Gradients in the structure of `params`: float32, C-contiguous, of the parameters' shapes. They are not changed.
        num_threads : int, optional
            How many threads to use at most; by default as many as :func:`fastadam.get_num_threads` says. The result does
            not depend on it.

        Raises
        ------
        TypeError, ValueError
            If a gradient or the structure does not fit, if a gradient shares memory with a parameter or with state, or if a
            parameter's memory was replaced. Then nothing has been changed.
        """
        threads = 0 if num_threads is None else thread_count("num_threads", num_threads)
        members = self._structure.flatten("grads", grads)
        try:
            self._tensors.step(self._rule, members, self._steps, threads)
        except _native.Refused as refused:
            raise explain(refused, lambda role, i: self._lookup(role, i, members)) from None

    def _lookup(self, role: int, i: int, grads: Any = ()) -> tuple[str, Any]:
        if role == PARAM:
            return self._structure.name("params", i), self._params[i]
        if role == GRAD:
            return self._structure.name("grads", i), grads[i]
        name = self._state_names[role - STATE]
        return f"{self._structure.name('state', i)}[{name!r}]", self._states[i][name]

    def __repr__(self) -> str:
        names = [field.name for field in dataclasses.fields(self._options) if field.repr]
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self._options, name)!r}' for name in names)})"


def _zeros_like(param: Any, count: int) -> list[NDArray[np.float32]]:
    """`count` arrays of zeros in the parameter's shape.

    Each lies relative to cache lines as the parameter does, so that a kernel which starts at a cache line of one does so for
    all. What is not a usable array gets none: the native module refuses it, by name.
    """
    if not isinstance(param, np.ndarray) or not param.flags.c_contiguous:
        return []
    line = 64 // 4
    rooms = [np.zeros(param.size + line - 1, np.float32) for _ in range(count)]
    starts = [(param.ctypes.data - room.ctypes.data) // 4 % line for room in rooms]
    return [room[start : start + param.size].reshape(param.shape) for room, start in zip(rooms, starts, strict=True)]
