"""The base of all optimizers: parameter groups, schedules, and a step as one native call."""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, SupportsIndex, TypeVar, overload

from fastadam._native import StepOptions
from fastadam.optimizers.checks import flag, optional_decay_rate, positive, single
from fastadam.optimizers.hyperparameters import Hyperparameter
from fastadam.optimizers.members import Members, new_states
from fastadam.optimizers.param_groups import Given, Group, ParamGroup, parse, parse_group
from fastadam.optimizers.persistence import Persistent
from fastadam.runtime import thread_count
from fastadam.typing import Array, Norm, Params_co, StepArguments

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from fastadam.optimizers.state_type import StateOf

AS_GIVEN = StepOptions()  # gradients are not changed


_Key = TypeVar("_Key")


class Optimizer(Persistent, Generic[Params_co]):
    """The base class of all optimizers, for annotations and ``isinstance``. It cannot be created itself."""

    _attributes = frozenset({"_defaults", "_groups", "_is_scheduled", "_members", "_step_count"})

    ema_decay = Hyperparameter(optional_decay_rate, None, "Decay rate of an average of the parameters, in [0, 1), or None.")

    def __init__(self, params: Params_co) -> None:
        raise TypeError("Optimizer is only a base class; create one of its subclasses, such as fastadam.Adam")

    def _make(self, params: Any, arguments: Mapping[str, Any], capturable: bool) -> None:
        """Initialize from a constructor's arguments; only the declared names are used, so `arguments` can be ``locals()``.

        A constructor lists its hyperparameters once, for editors and type checkers, and need not list them again to pass them.
        """
        flag("capturable", capturable)
        kind = type(self)
        given = {name: one.default if one.implied else arguments[name] for name, one in kind._declared.items()}
        self._step_count = 0
        self._defaults = Group.make(kind, 0, given, 0).given
        structure, arrays, parts = parse(params, kind)
        groups = [Group.make(kind, size, self._defaults | given, 0) for size, given in parts]
        self._take(groups, Members(structure, arrays, new_states(arrays, groups), groups, capturable))

    def _take(self, groups: list[Group], members: Members) -> None:
        self._groups, self._members = groups, members
        self._is_scheduled = any(group.is_scheduled for group in groups)

    @property
    def param_groups(self) -> tuple[ParamGroup, ...]:
        """The groups: mappings with ``"params"`` and the hyperparameters, which can be set between steps."""
        ends = itertools.accumulate(group.size for group in self._groups)
        return tuple(
            ParamGroup(
                self._members.params[end - group.size : end],
                functools.partial(self._group, i),
                functools.partial(self._change, [i]),
            )
            for i, (group, end) in enumerate(zip(self._groups, ends, strict=True))
        )

    def _group(self, i: int) -> Group:
        return self._groups[i]

    def _change(self, which: Sequence[int], changes: Given) -> list[Group]:
        """Change hyperparameters of some groups."""
        return self._use([g.changed(changes, self._step_count) if i in which else g for i, g in enumerate(self._groups)])

    def _use(self, groups: list[Group]) -> list[Group]:
        self._members.use(groups)
        self._take(groups, self._members)
        return groups

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add parameters, which start at step 0.

        Parameters
        ----------
        param_group : mapping
            ``"params"``, and the hyperparameters that differ from those of the optimizer. :meth:`step` expects the gradients of
            the new parameters after the others: as more members of a sequence, or as more keys if `params` was a mapping.

        Raises
        ------
        TypeError, ValueError
            As for the constructor, and if an array is already in a group. A call that raises changes nothing.

        Notes
        -----
        Re-read `state` afterwards: step counts read from it before no longer advance.
        """
        kind, old = type(self), self._members
        structure, arrays, given = parse_group(param_group, kind, "param_group")
        group = Group.make(kind, len(arrays), self._defaults | given, self._step_count)
        groups, states = [*self._groups, group], [*old.states, *new_states(arrays, [group])]
        steps, skipped = old.counts
        steps += [0] * len(arrays)
        members = Members(
            old.structure.extended(structure), old.params + arrays, states, groups, old.capturable, steps, skipped
        )
        self._take(groups, members)

    if TYPE_CHECKING:
        state = StateOf()
    else:

        @property
        def state(self) -> Any:
            """The state, in the structure of `params`.

            The state of a parameter is a read-only mapping of names to arrays that can be written to: ``"step"``, the number of
            steps taken (0-d, int64), the moments (float32, with the shape and device of the parameter), and with `ema_decay`
            ``"ema"``, the average of the parameter. ``"step"`` is a NumPy array, or on the device with `capturable`.
            """
            return self._members.state

    @property
    def step_count(self) -> int:
        """The number of calls of :meth:`step`, which schedules are called with. Replays of a CUDA graph do not count."""
        return self._step_count

    @property
    def skipped_steps(self) -> int:
        """How many steps `skip_nonfinite` skipped. With `capturable`, reading it waits for the GPU."""
        return self._members.counts[1]

    @overload
    def step(self: Optimizer[Array], grads: Array | None, **options: Unpack[StepArguments]) -> Norm: ...
    @overload
    def step(
        self: Optimizer[Mapping[_Key, Array]], grads: Mapping[_Key, Array | None], **options: Unpack[StepArguments]
    ) -> Norm: ...
    @overload
    def step(
        self: Optimizer[Sequence[Any] | Iterator[Any]], grads: Sequence[Array | None], **options: Unpack[StepArguments]
    ) -> Norm: ...
    def step(
        self,
        grads: Any,
        *,
        grad_scale: float = 1.0,
        clip_value: float | None = None,
        max_norm: float | None = None,
        skip_nonfinite: bool = False,
        num_threads: SupportsIndex | None = None,
    ) -> Norm:
        """Take one step: update every parameter and its state in place, in one native call that releases the GIL.

        On a GPU the step is queued on CuPy's current stream of the parameters' device and runs asynchronously.

        Parameters
        ----------
        grads : array, sequence or mapping
            The gradients, in the structure of `params` (for groups: one sequence over all groups in order). float32,
            C-contiguous, with the shapes of the parameters, on their device. They are not changed. If a gradient is None, its
            parameter, state and step count stay as they are.
        grad_scale : float
            The factor that gradients are multiplied by, such as one over the loss scale or the number of accumulated batches;
            finite in float32.
        clip_value : float, optional
            Above 0. Elements of scaled gradients are clipped to [-`clip_value`, `clip_value`].
        max_norm : float, optional
            Above 0. If the :func:`fastadam.global_norm` of the scaled gradients is larger, they are also multiplied by
            ``max_norm / norm``. Reads the gradients once more. Infinity only computes the norm.
        skip_nonfinite : bool
            If a gradient has an infinite or NaN element, change no parameter, state or step count, and add one to
            `skipped_steps`. Reads the gradients once more. On a GPU it needs `capturable`.
        num_threads : int, optional
            The most CPU threads to use; by default :func:`fastadam.get_num_threads`. It does not affect the result.

        Returns
        -------
        float, array or None
            With `max_norm` or `skip_nonfinite`, the norm of the scaled gradients before clipping, in float64; on a GPU a 0-d
            array. Otherwise None.

        Raises
        ------
        TypeError, ValueError
            If an argument, a gradient or the structure does not fit, a gradient overlaps a parameter or state, a parameter's
            memory was replaced, or a schedule returns a bad value. A call that raises changes nothing.
        RuntimeError
            If a kernel does not compile for the GPU, or a CUDA graph is being captured without `capturable`.
        """
        threads = 0 if num_threads is None else thread_count("num_threads", num_threads)
        options = AS_GIVEN
        if grad_scale != 1.0 or clip_value is not None or max_norm is not None or skip_nonfinite is not False:
            options = StepOptions(
                single("grad_scale", grad_scale),
                math.inf if clip_value is None else positive("clip_value", clip_value),
                None if max_norm is None else positive("max_norm", max_norm),
                flag("skip_nonfinite", skip_nonfinite),
            )
        if self._is_scheduled:
            groups = [group.at(self._step_count) for group in self._groups]
            if any(map(operator.is_not, groups, self._groups)):
                self._members.use(groups)
                vars(self)["_groups"] = groups  # __setattr__ would be slow beside a small step
        norm = self._members.step(grads, options, threads)
        vars(self)["_step_count"] += 1
        return norm

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self._groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group.given[name]!r}" for name in sorted(self._chosen)]
        return "\n".join([*lines, ")"])
