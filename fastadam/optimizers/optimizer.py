"""What all optimizers share: groups of parameters, schedules, and the one native call of a step."""

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, SupportsIndex

from fastadam._native import StepOptions
from fastadam.optimizers.checks import flag, positive, real
from fastadam.optimizers.members import Members, new_states
from fastadam.optimizers.options import Options
from fastadam.optimizers.param_groups import Group, Hyperparameter, Hyperparameters, ParamGroup, parse, parse_group
from fastadam.optimizers.persistence import Persistent
from fastadam.runtime import thread_count

AS_GIVEN = StepOptions()  # gradients are taken as they are


class Optimizer(Persistent):
    """Base class; a subclass names the options of its rule and shows them as attributes."""

    _options_type: ClassVar[type[Options]]

    ema_decay = Hyperparameter()

    def __init__(self, params: Any, hyperparameters: Hyperparameters, capturable: bool) -> None:
        kind = self._options_type
        flag("capturable", capturable)
        self._step_count = 0
        self._defaults = Group.make(kind, 0, hyperparameters, 0).given
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

    def _change(self, which: Sequence[int], changes: Hyperparameters) -> list[Group]:
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
            As when an optimizer is made, also if an array is in a group already. Then nothing has been changed.

        Notes
        -----
        Take `state` anew afterwards: step counts that were taken from it before do not advance any more.
        """
        kind, old = self._options_type, self._members
        structure, arrays, given = parse_group(param_group, kind, "param_group")
        group = Group.make(kind, len(arrays), self._defaults | given, self._step_count)
        groups, states = [*self._groups, group], [*old.states, *new_states(arrays, [group])]
        steps, skipped = old.counts
        steps += [0] * len(arrays)
        members = Members(
            old.structure.extended(structure), old.params + arrays, states, groups, old.capturable, steps, skipped
        )
        self._take(groups, members)

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

    def step(
        self,
        grads: Any,
        *,
        grad_scale: float = 1.0,
        clip_value: float | None = None,
        max_norm: float | None = None,
        skip_nonfinite: bool = False,
        num_threads: SupportsIndex | None = None,
    ) -> Any:
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
            If an argument, a gradient or the structure does not fit, if a gradient shares memory with a parameter or with
            state, if a parameter's memory was replaced, or if a schedule returns what is not a value of its hyperparameter.
            Then nothing has been changed.
        RuntimeError
            If a kernel cannot be compiled for the GPU, or a CUDA graph is being captured without `capturable`.
        """
        threads = 0 if num_threads is None else thread_count("num_threads", num_threads)
        options = AS_GIVEN
        if grad_scale != 1.0 or clip_value is not None or max_norm is not None or skip_nonfinite is not False:
            options = StepOptions(
                real("grad_scale", grad_scale),
                math.inf if clip_value is None else positive("clip_value", clip_value),
                None if max_norm is None else positive("max_norm", max_norm),
                flag("skip_nonfinite", skip_nonfinite),
            )
        if self._is_scheduled:
            self._use([group.at(self._step_count) for group in self._groups])
        norm = self._members.step(grads, options, threads)
        self._step_count += 1
        return norm

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self._groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group.given[name]!r}" for name in sorted(group.options.names())]
        return "\n".join([*lines, ")"])
