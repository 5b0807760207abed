"""What all optimizers share: groups of parameters, schedules, and the one native call of a step."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NoReturn, SupportsIndex, TypeVar, overload

from fastadam.backends.protocol import GradientOptions
from fastadam.optimizers.checks import flag, optional_decay_rate, positive, real
from fastadam.optimizers.hyperparameters import Hyperparameter
from fastadam.optimizers.members import Members, new_states
from fastadam.optimizers.param_groups import Given, Group, ParamGroup, parse, parse_group
from fastadam.optimizers.persistence import Persistent
from fastadam.runtime import thread_count
from fastadam.typing import Array, Norm, Params_co, State, StepOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

AS_GIVEN = GradientOptions()  # gradients are taken as they are


_Key = TypeVar("_Key")


class _StateOf:
    """What type checkers take :attr:`Optimizer.state` for: it has the structure of `params`."""

    @overload
    def __get__(self, optimizer: Optimizer[Array], owner: type | None = None) -> State: ...
    @overload
    def __get__(self, optimizer: Optimizer[Mapping[_Key, Array]], owner: type | None = None) -> dict[_Key, State]: ...
    @overload
    def __get__(self, optimizer: Optimizer[Any], owner: type | None = None) -> tuple[State, ...]: ...
    def __get__(self, optimizer: Any, owner: type | None = None) -> Any: ...
    def __set__(self, optimizer: Any, value: NoReturn) -> None: ...


class Optimizer(Persistent, Generic[Params_co]):
    """What all optimizers have in common. It cannot be made itself: it is for annotations and ``isinstance``."""

    _attributes = frozenset({"_defaults", "_groups", "_is_scheduled", "_members", "_step_count"})

    ema_decay = Hyperparameter(optional_decay_rate, None, "Decay rate of an average of the parameters, in [0, 1), or None.")

    def __init__(self, params: Params_co) -> None:
        raise TypeError("Optimizer cannot be made itself; make one of its subclasses, such as fastadam.Adam")

    def _make(self, params: Any, arguments: Mapping[str, Any], capturable: bool) -> None:
        """Initialize it with a constructor's arguments, of which the declared names are picked: `locals()` will do.

        A constructor that lists them all, for editors and type checkers, need not list them again to pass them on.
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
        """The groups: mappings from ``"params"`` and the names of hyperparameters, whose values may be set between steps."""
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
        """Give some of the groups other hyperparameters."""
        return self._use([g.changed(changes, self._step_count) if i in which else g for i, g in enumerate(self._groups)])

    def _use(self, groups: list[Group]) -> list[Group]:
        self._members.use(groups)
        self._take(groups, self._members)
        return groups

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Optimize more parameters, which start at step 0.

        Parameters
        ----------
        param_group : mapping
            ``"params"``, and hyperparameters in which the group differs from what the optimizer was made with (or what its
            attributes were set to since). Its parameters come behind the others in what :meth:`step` takes: more members of a
            sequence, or if `params` was a mapping, more keys.

        Raises
        ------
        TypeError, ValueError
            As when an optimizer is made, and if an array is in a group already. A call that raises changes nothing.

        Notes
        -----
        Re-read `state` afterwards: step counts read from it before no longer advance.
        """
        kind, old = type(self), self._members
        structure, arrays, given = parse_group(param_group, kind, "param_group")
        group = Group.make(kind, len(arrays), self._defaults | given, self._step_count)
        groups, states = [*self._groups, group], [*old.states, *new_states(arrays, [group])]
        members = Members(old.structure.extended(structure), old.params + arrays, states, groups, old.capturable)
        steps, skipped = old.counts
        members.counts = [*steps, *[0] * len(arrays)], skipped
        self._take(groups, members)

    if TYPE_CHECKING:
        state = _StateOf()
    else:

        @property
        def state(self) -> Any:
            """The state, in the structure of `params`.

            Each parameter's is a read-only mapping from ``"step"`` (a 0-d int64 array, the number of steps taken) and the names
            of the moments (float32, of the parameter's shape, on its device) to arrays that may be written to; with `ema_decay`
            ``"ema"`` is the average of the parameter. The step count is a NumPy array, or with `capturable` one on the device.
            """
            return self._members.state

    @property
    def step_count(self) -> int:
        """How often :meth:`step` was called: what schedules are called with. Replays of a CUDA graph are not counted."""
        return self._step_count

    @property
    def skipped_steps(self) -> int:
        """How many steps `skip_nonfinite` left out. With `capturable`, reading it waits for the GPU."""
        return self._members.counts[1]

    @overload
    def step(self: Optimizer[Array], grads: Array | None, **options: Unpack[StepOptions]) -> Norm: ...
    @overload
    def step(
        self: Optimizer[Mapping[_Key, Array]], grads: Mapping[_Key, Array | None], **options: Unpack[StepOptions]
    ) -> Norm: ...
    @overload
    def step(
        self: Optimizer[Sequence[Any] | Iterator[Any]], grads: Sequence[Array | None], **options: Unpack[StepOptions]
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

        On a GPU the step is queued on CuPy's current stream of the parameters' device, and nothing waits for it.

        Parameters
        ----------
        grads : array, sequence or mapping
            Gradients in the structure of `params` (of groups: one sequence over all parameters, in the order of the groups):
            float32, C-contiguous, of the parameters' shapes, on their device. They are not changed. None in place of a
            gradient leaves that parameter alone, its state and step count too.
        grad_scale : float
            What gradients are multiplied by: one over the loss scale, or over the number of accumulated batches.
        clip_value : float, optional
            Above 0. After that, elements beyond it in magnitude are set to it, with their sign.
        max_norm : float, optional
            Above 0. If :func:`fastadam.global_norm` of all gradients, times `grad_scale`, is larger, all of them are also
            multiplied by ``max_norm / norm``. It reads the gradients once more. Infinity: only find the norm.
        skip_nonfinite : bool
            If an element of a gradient is infinite or NaN, change no parameter, state or step count, and add one to
            `skipped_steps`. It reads the gradients once more. On a GPU it takes `capturable`.
        num_threads : int, optional
            How many of the CPU's threads to use at most; by default as many as :func:`fastadam.get_num_threads` says. The
            result does not depend on it.

        Returns
        -------
        float, array or None
            With `max_norm` or `skip_nonfinite` the norm of the gradients times `grad_scale`, before clipping, in float64; on
            a GPU a 0-d array there. Otherwise None.

        Raises
        ------
        TypeError, ValueError
            If an argument, a gradient or the structure does not fit, if a gradient overlaps a parameter or state, if a
            parameter's memory was replaced, or if a schedule returns a bad value. A call that raises changes nothing.
        RuntimeError
            If a kernel cannot be compiled for the GPU, or a CUDA graph is being captured without `capturable`.
        """
        threads = 0 if num_threads is None else thread_count("num_threads", num_threads)
        options = AS_GIVEN
        if grad_scale != 1.0 or clip_value is not None or max_norm is not None or skip_nonfinite is not False:
            options = GradientOptions(
                real("grad_scale", grad_scale),
                math.inf if clip_value is None else positive("clip_value", clip_value),
                None if max_norm is None else positive("max_norm", max_norm),
                flag("skip_nonfinite", skip_nonfinite),
            )
        if self._is_scheduled:
            self._use([group.at(self._step_count) for group in self._groups])
        norm = self._members.step(grads, options, threads)
        vars(self)["_step_count"] += 1  # past __setattr__, which takes as long as the step of a small array
        return norm

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self._groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group.given[name]!r}" for name in sorted(self._chosen)]
        return "\n".join([*lines, ")"])
