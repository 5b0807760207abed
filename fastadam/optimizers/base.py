"""The base of all optimizers: how they are made, and a step as one native call."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, ValuesView
from typing import TYPE_CHECKING, Any, Generic, Literal, SupportsIndex, TypeVar, overload

from fastadam._native import StepOptions
from fastadam.backends.dtypes import dtype_of
from fastadam.optimizers import storage
from fastadam.optimizers.borrowed_state import given_states
from fastadam.optimizers.checks import expect_within, flag, flag_or_raise, known_norm, optional_decay_rate, positive, real
from fastadam.optimizers.grouped import Grouped
from fastadam.optimizers.hyperparameters import Hyperparameter, with_later
from fastadam.optimizers.members import Members, new_states
from fastadam.optimizers.param_groups import Group, parse
from fastadam.optimizers.unknown_names import Missing
from fastadam.plain_numbers import to_int
from fastadam.runtime import thread_count
from fastadam.typing import Array, Branch, GivenState, Norm, Params_co, StepArguments

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from fastadam.optimizers.state_type import StateOf

AS_GIVEN = StepOptions()  # gradients are not changed


_Key = TypeVar("_Key")


class Optimizer(Grouped, Generic[Params_co]):
    """The base class of all optimizers, for annotations and ``isinstance``. It cannot be created itself."""

    ema_decay = Hyperparameter(
        optional_decay_rate, None, "Decay rate of an average of the parameters, in [0, 1), or None.", unasked=0.5
    )

    state_dtype = Hyperparameter(storage.state_dtype, "float32", "How states are stored.", is_storage=True)
    master: Hyperparameter[str | None] = Hyperparameter(
        storage.master, "split", "What is kept beside parameters of 16 bits.", is_storage=True
    )
    seed = Hyperparameter(storage.seed, 0, "The seed of the dither by which they are rounded.", is_storage=True)

    def __init__(self, params: Params_co) -> None:
        raise TypeError("Optimizer is only a base class; create one of its subclasses, such as fastadam.Adam")

    def _make(self, params: Any, arguments: Mapping[str, Any], capturable: bool, state: GivenState | None) -> None:
        """Initialize from a constructor's arguments; only the declared names are used, so `arguments` can be ``locals()``.

        A constructor lists its hyperparameters once, for editors and type checkers, and need not list them again to pass them.
        """
        flag("capturable", capturable)
        kind = type(self)
        arguments = with_later(kind, arguments)
        given = {name: one.default if one.implied else arguments[name] for name, one in kind._declared.items()}
        structure, arrays, parts = parse(params, kind)
        dtype = dtype_of(arrays[0])
        self._defaults = Group.make(kind, 0, given, dtype).given
        groups = [Group.make(kind, size, self._defaults | given, dtype) for size, given in parts]
        states, steps = (new_states(arrays, groups), None) if state is None else given_states(structure, arrays, groups, state)
        self._take(Members(structure, arrays, states, groups, capturable, steps))

    if TYPE_CHECKING:
        state = StateOf()
    else:
        zero_grad = Missing("gradients are passed to step, which keeps none of them: leave the call out")
        minimize = Missing("compute the gradients yourself and call step(grads)")
        apply_gradients = Missing("call step(grads)")

        @property
        def state(self) -> Any:
            """The state, in the structure of `params`.

            The state of a parameter is a read-only mapping of names to arrays that can be written to: ``"step"``, the number of
            steps taken (0-d, int64), the moments (with the shape, dtype and device of the parameter), and with `ema_decay`
            ``"ema"``, the average of the parameter. ``"step"`` is a NumPy array, or on the device with `capturable`.
            """
            return self._members.state

    @property
    def step_count(self) -> int:
        """The number of calls of :meth:`step`, which schedules are called with. Replays of a CUDA graph do not count.

        Set it if you bring the state of another run. The step counts of the parameters are in `state`.
        """
        return self._members.tensors.step_count

    @step_count.setter
    def step_count(self, count: SupportsIndex) -> None:
        try:
            number = to_int(count)
        except TypeError:
            raise TypeError(f"step_count is {count!r}; expected an integer, the number of steps so far") from None
        if not 0 <= number < 2**63 - 1:
            raise ValueError(f"step_count is {number}; expected 0 to 2**63 - 2")
        with (tensors := self._members.tensors).change():
            tensors.step_count = number

    @property
    def nbytes(self) -> int:
        """The bytes of the state: of all its arrays, without parameters, gradients and step counts."""
        arrays = [array for state in self._members.states for array in state.values()]
        return sum(array.nbytes for array in arrays)

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
        self: Optimizer[Mapping[_Key, Branch]], grads: Mapping[_Key, Branch], **options: Unpack[StepArguments]
    ) -> Norm: ...
    @overload
    def step(
        self: Optimizer[Sequence[Mapping[str, Any]]],
        grads: Mapping[Any, Any] | Sequence[Array | None] | Iterator[Array | None],
        **options: Unpack[StepArguments],
    ) -> Norm: ...
    @overload
    def step(
        self: Optimizer[Sequence[Any] | Iterator[Any] | ValuesView[Any]],
        grads: Sequence[Array | None] | Iterator[Array | None] | ValuesView[Array | None] | Sequence[Branch],
        **options: Unpack[StepArguments],
    ) -> Norm: ...
    def step(
        self,
        grads: Any,
        *,
        grad_scale: float = 1.0,
        clip_value: float | None = None,
        max_norm: float | None = None,
        skip_nonfinite: bool | Literal["raise"] = False,
        norm: float | None = None,
        num_threads: SupportsIndex | None = None,
    ) -> Norm:
        """Take one step: update every parameter and its state in place, in one native call that releases the GIL.

        On a GPU the step is queued on CuPy's current stream of the parameters' device and runs asynchronously.

        Parameters
        ----------
        grads : array, iterable or mapping
            The gradients, in the structure of `params` (for groups: one mapping with the keys of all if each has a mapping,
            otherwise one sequence over all arrays in order). They have the shapes, strides and dtype of the parameters, on
            their device. They are not changed. If a gradient is None, its parameter, state and step count stay as they are.
        grad_scale : float
            The factor that gradients are multiplied by, such as one over the loss scale or the number of accumulated batches;
            finite in their dtype.
        clip_value : float, optional
            Above 0. Elements of scaled gradients are clipped to [-`clip_value`, `clip_value`], of complex ones each part.
        max_norm : float, optional
            Above 0. If the :func:`fastadam.global_norm` of the scaled gradients is larger, they are also multiplied by
            ``max_norm / norm``. Reads the gradients once more. Infinity only computes the norm.
        skip_nonfinite : bool or "raise"
            If a gradient has an infinite or NaN element, change no parameter, state or step count, and add one to
            `skipped_steps`, or raise FloatingPointError. Reads the gradients once more. On a GPU True needs `capturable`, and
            "raise" is refused, since a step does not wait for the GPU. Gradients are judged as they are given, as PyTorch's
            GradScaler judges them: a finite one that `grad_scale` makes infinite does not count.
        norm : float, optional
            The :func:`fastadam.global_norm` of the gradients as they are given, before `grad_scale`, if it is known: at least
            0, infinite or NaN. `max_norm` and `skip_nonfinite` then go by it and do not read the gradients. It may be that of
            more gradients than these: those of other processes (:func:`fastadam.combined_norm`) or of other optimizers.
        num_threads : int, optional
            The most CPU threads to use; by default :func:`fastadam.get_num_threads`. It does not affect the result.

        Returns
        -------
        float, array or None
            With `max_norm`, `skip_nonfinite` or `norm`, the norm of the scaled gradients before clipping, in float64; on a GPU
            a 0-d array. Otherwise None.

        Raises
        ------
        TypeError, ValueError
            If an argument, a gradient or the structure does not fit, a gradient overlaps a parameter or state, a parameter's
            memory was replaced, or a schedule returns a bad value. A call that raises changes nothing.
        FloatingPointError
            If a gradient, or `norm`, is not finite and `skip_nonfinite` is "raise". The message names the first one and its
            first element that is not finite. Nothing is changed.
        RuntimeError
            If another thread is stepping this optimizer, or a gradient's export or a schedule does; if a kernel does not
            compile for the GPU, or a CUDA graph is being captured without `capturable`.
        Exception
            What a schedule, or a mapping or sequence of gradients, raises. What an array raises that cannot be exported is the
            cause of a TypeError, but MemoryError, KeyboardInterrupt and what else is not an Exception passes as it is.
        """
        threads = 0 if num_threads is None else thread_count("num_threads", num_threads)
        is_scaled = type(grad_scale) is not float or grad_scale != 1.0  # an array's comparison says anything
        if not is_scaled and clip_value is None and max_norm is None and skip_nonfinite is False and norm is None:
            options = AS_GIVEN
        else:
            options = StepOptions(
                self._checked_scale(grad_scale),
                math.inf if clip_value is None else positive("clip_value", clip_value),
                None if max_norm is None else positive("max_norm", max_norm),
                *flag_or_raise("skip_nonfinite", skip_nonfinite),
                None if norm is None else known_norm("norm", norm),
            )
        return self._members.step(grads, options, threads)

    def _checked_scale(self, grad_scale: float) -> float:
        scale = real("grad_scale", grad_scale)
        expect_within(self._groups[0].hyperparameters.dtype, "grad_scale", grad_scale, scale)
        return scale

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self._groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group.given[name]!r}" for name in sorted(self._chosen)]
        return "\n".join([*lines, ")"])
