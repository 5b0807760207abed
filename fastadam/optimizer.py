"""What all optimizers share: the structure of parameters, their state, and the one native call of a step."""

import dataclasses
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, SupportsIndex

from fastadam import _native
from fastadam.backend import GradientOptions
from fastadam.devices import backend_of
from fastadam.hyperparameters import flag
from fastadam.options import Options
from fastadam.refusals import GRAD, PARAM, STATE, explain
from fastadam.runtime import thread_count
from fastadam.structure import Structure


class Hyperparameter:
    """An attribute of an optimizer that may be changed between steps, unless that would take another state.

    A value that is refused changes nothing.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        return self if optimizer is None else getattr(optimizer._options, self._name)

    def __set__(self, optimizer: Any, value: Any) -> None:
        options = dataclasses.replace(optimizer._options, **{self._name: value})
        if options.initial_state.keys() != optimizer._options.initial_state.keys():
            raise ValueError(
                f"{self._name} is {value!r}, with which the state would be {', '.join(options.initial_state) or 'none'}; it is "
                f"{', '.join(optimizer._options.initial_state) or 'none'} since the optimizer was made; make a new optimizer"
            )
        optimizer._set_options(options)


class Optimizer:
    """Base class; a subclass makes the options of its rule and shows them as attributes."""

    def __init__(self, params: Any, options: Options, capturable: bool) -> None:
        self._capturable = flag("capturable", capturable)
        initial = options.initial_state
        self._state_names = tuple(initial)
        if isinstance(params, Iterator):
            params = list(params)
        self._structure = Structure(params)
        self._params = list(self._structure.flatten("params", params))
        backend = backend_of(self._params[0])
        states = [backend.full_like(param, [*initial.values()]) for param in self._params]
        try:
            self._tensors: Any = backend.tensors(self._params, states, [len(self._params)], self._capturable)
        except _native.Refused as refused:
            raise explain(refused, self._lookup) from None
        self._steps = backend.step_counts(self._params[0], len(self._params), self._capturable)
        self._skips = backend.step_counts(self._params[0], 1, self._capturable)
        self._states = [
            MappingProxyType({"step": self._steps[i : i + 1].reshape(())} | dict(zip(initial, state, strict=True)))
            for i, state in enumerate(states)
        ]
        self._set_options(options)

    def _set_options(self, options: Options) -> None:
        rule = options.rule
        if self._capturable:
            self._tensors.set_options(rule)
        self._options, self._rule = options, rule

    @property
    def state(self) -> Any:
        """The state, in the structure of `params`.

        Each parameter's is a read-only mapping from ``"step"`` (a 0-d int64 array, the number of steps taken) and the names
        of the moments (float32, of the parameter's shape, on its device) to arrays that may be written to. The step count
        is a NumPy array, or with `capturable` one on the device.
        """
        return self._structure.unflatten(self._states)

    def step(self, grads: Any, *, num_threads: SupportsIndex | None = None) -> None:
        """Take one step: update every parameter and its state in place, in one native call that releases the GIL.

        On a GPU the step is queued on CuPy's current stream of the parameters' device, and nothing waits for it.

        Parameters
        ----------
        grads : array, sequence or mapping
            Gradients in the structure of `params`: float32, C-contiguous, of the parameters' shapes, on their device. They
            are not changed.
        num_threads : int, optional
            How many of the CPU's threads to use at most; by default as many as :func:`fastadam.get_num_threads` says. The
            result does not depend on it.

        Raises
        ------
        TypeError, ValueError
            If a gradient or the structure does not fit, if a gradient shares memory with a parameter or with state, or if a
            parameter's memory was replaced. Then nothing has been changed.
        RuntimeError
            If a kernel cannot be compiled for the GPU, or a CUDA graph is being captured without `capturable`.
        """
        threads = 0 if num_threads is None else thread_count("num_threads", num_threads)
        members = self._structure.flatten("grads", grads)
        try:
            self._tensors.step([self._rule], members, self._steps, self._skips, GradientOptions(), threads)
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
