"""What an optimizer steps: parameters with their states and step counts, under the names that users know them by."""

import itertools
import operator
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from fastadam import _native
from fastadam.at_once import Call, at_once
from fastadam.backends.dispatch import backend_of
from fastadam.backends.protocol import Tensors
from fastadam.backends.refusals import explain, of_replaced
from fastadam.backends.roles import GRAD, PARAM, STATE
from fastadam.optimizers import storage
from fastadam.optimizers.param_groups import Group
from fastadam.optimizers.schedules import Schedules
from fastadam.structure import Structure

_Asked: TypeAlias = tuple[int, Schedules, tuple[Any, ...]]  # :data:`fastadam.backends.protocol.Asked`


class Members:
    """All parameters of an optimizer, with states of the right names; or the error that says why they cannot be stepped."""

    _groups: list[Group]  # as they were set
    schedules: Schedules | None  # theirs, if there are any

    def __init__(
        self,
        structure: Structure,
        params: Sequence[Any],
        states: Sequence[Mapping[str, Any]],
        groups: Sequence[Group],
        capturable: bool,
        steps: Sequence[int] | None = None,
        skipped: int = 0,
        step_count: int = 0,
    ) -> None:
        """`steps` are how many steps each parameter has taken (None: none), the others those of `counts`."""
        self.structure, self.params, self.states, self.capturable = structure, list(params), list(states), capturable
        self.backend = backend_of(params[0])
        self._origins = structure.origins if any(structure.origins) else []
        self._ends = [0, *itertools.accumulate(group.size for group in groups)]
        for group in groups:
            storage.expect_storable(params, group.hyperparameters)
        try:
            arrays = [list(state.values()) for state in states]
            self.tensors: Tensors = self.backend.tensors(
                params,
                arrays,
                [group.size for group in groups],
                rules_of(groups),
                [0] * len(self.params) if steps is None else steps,
                capturable,
            )
        except _native.Refused as refused:
            raise explain(refused, self._look_up) from refused.__cause__
        vars(self).update(_ruling(groups))
        self.tensors.step_count = step_count
        if skipped:
            at_once([self.backend.assignment(self.tensors.skips, [skipped])])

    @property
    def groups(self) -> list[Group]:
        """The groups, with the values that schedules had in the last step."""
        return self._groups if self.schedules is None else self.schedules.groups

    def use(self, groups: Sequence[Group]) -> None:
        """Step by the hyperparameters that `groups` have at present. Within a change."""
        at_once(self.use_calls(groups))

    def use_calls(self, groups: Sequence[Group]) -> list[Call]:
        """The calls of :meth:`use`, to make at once with others."""
        return [*self.backend.rule_calls(self.tensors, rules_of(groups)), (vars(self).update, _ruling(groups))]

    def step(self, grads: Any, options: _native.StepOptions, threads: int) -> Any:
        """See :meth:`fastadam.backends.protocol.Tensors.step`."""
        asked = None
        if (schedules := self.schedules) is not None:
            count = self.tensors.step_count
            asked = count, schedules, schedules.ask(schedules.asks, count)
        return self._step(self.structure.flatten("grads", grads), options, threads, asked)

    def _step(self, grads: Sequence[Any], options: _native.StepOptions, threads: int, asked: _Asked | None) -> Any:
        if self._origins and (replaced := _native.first_replaced(self._origins, self.params)) is not None:
            raise ValueError(of_replaced(self._look_up(PARAM, replaced)[0]))
        try:
            return self.tensors.step(grads, options, threads, asked)
        except _native.Refused as refused:
            if asked and refused.args[0] == "schedules":
                asked[1].groups_by(asked[2])  # raises
            if (usable := self._with_scalars_as_arrays(grads)) is not grads:
                return self._step(usable, options, threads, asked)
            raise self._explained(refused, grads) from refused.__cause__

    def _explained(self, refused: _native.Refused, grads: Sequence[Any]) -> Exception:
        """Apart from `_step`, whose every call would else make cells for this function's closure."""
        return explain(refused, lambda role, i: self._look_up(role, i, grads))

    def _with_scalars_as_arrays(self, grads: Sequence[Any]) -> Sequence[Any]:
        """Gradients with arrays for NumPy's scalars, which functions of 0-d arrays return; `grads` if there are none."""
        if not any(isinstance(grad, np.generic) for grad in grads):
            return grads
        pairs = zip(grads, self.params, strict=True)
        usable = [np.asarray(grad) if isinstance(grad, np.generic) and param.shape == () else grad for grad, param in pairs]
        return usable if any(map(operator.is_not, usable, grads)) else grads

    @property
    def group_count(self) -> int:
        return len(self._ends) - 1

    def params_of(self, group: int) -> list[Any]:
        """The parameters of a group."""
        return self.params[self._ends[group] : self._ends[group + 1]]

    @property
    def state(self) -> Any:
        """The states with step counts, in the structure of the parameters, to read and to write to."""
        steps = self.tensors.steps
        counts = [steps[i : i + 1].reshape(()) for i in range(len(self.params))]
        return self.structure.unflatten(
            [MappingProxyType({"step": count, **arrays}) for count, arrays in zip(counts, self.states, strict=True)]
        )

    @property
    def counts(self) -> tuple[list[int], int, int]:
        """How many steps each parameter has taken, how many steps were skipped, and how many were called for."""
        steps, skips = map(self.backend.to_host, (self.tensors.steps, self.tensors.skips))
        return steps.tolist(), int(skips[0]), self.tensors.step_count

    def _look_up(self, role: int, i: int, grads: Sequence[Any] = ()) -> tuple[str, Any]:
        """A user's name for an array, and the array."""
        if role == PARAM:
            return self.structure.name("params", i), self.params[i]
        if role == GRAD:
            return self.structure.name("grads", i), grads[i]
        name, array = list(self.states[i].items())[role - STATE]
        return f"{self.structure.name('state', i)}[{name!r}]", array


def _ruling(groups: Sequence[Group]) -> dict[str, Any]:
    """The attributes of members by which they are stepped like `groups`."""
    own = [*groups]
    scheduled = [group for group in own if group.schedules]  # no any(): Ctrl-C is lost in a generator that ends early
    return {"_groups": own, "schedules": Schedules(own) if scheduled else None}


def rules_of(groups: Sequence[Group]) -> list[_native.Rule]:
    return [group.hyperparameters.rule for group in groups]


def new_states(params: Sequence[Any], groups: Sequence[Group]) -> list[dict[str, Any]]:
    """The initial state of each parameter; none of one that is not usable, which :class:`Members` will refuse."""
    backend = backend_of(params[0])
    hyperparameters = [group.hyperparameters for group in groups for _ in range(group.size)]
    return [storage.new_state(backend, param, each) for param, each in zip(params, hyperparameters, strict=True)]
