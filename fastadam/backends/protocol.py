"""The interface of a backend, which cpu.py and cuda/functions.py implement."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

from fastadam._native import Rule, Schedules, StepOptions
from fastadam.at_once import Call
from fastadam.backends.roles import Place

# What the schedules of a step said: the step_count that they were asked with, and their values, which are set in the rules. The
# Schedules get them as the attribute `values` when the step is done, in one with it.
Asked: TypeAlias = tuple[int, Schedules, tuple[Any, ...]]


class Tensors(Protocol):
    """Parameters with their states, in groups, checked and ready to be stepped together.

    They own the rule of each group and all counts.
    """

    @property
    def device(self) -> int | None:
        """The GPU that all arrays are on; None for the CPU."""

    @property
    def is_captured(self) -> bool:
        """Whether a CUDA graph may write to these counts. Only of tensors made with `capturable`."""
        ...

    @property
    def steps(self) -> Any:
        """The step count of each tensor: a one-dimensional int64 array, which may be written to."""

    @property
    def skips(self) -> Any:
        """How many steps `skip_nonfinite` has skipped: an int64 array of one element."""

    @property
    def step_count(self) -> int:
        """How many calls of :meth:`step` have returned."""
        ...

    @step_count.setter
    def step_count(self, count: int) -> None: ...

    def set_rules(self, rules: Sequence[Rule]) -> None:
        """Set the rule of each group for the following steps, or raise an error and change nothing."""

    def change(self) -> AbstractContextManager[Any]:
        """A context that keeps other threads out. Raises RuntimeError if one is stepping or changing the tensors."""
        ...

    def retire(self) -> None:
        """Refuse further steps and changes, since other tensors take their place. Within the context."""

    def step(self, grads: Sequence[Any], options: StepOptions, threads: int, asked: Asked | None = None) -> Any:
        """Step every tensor that has a gradient and add one to its step count, or raise :class:`Refused` and change nothing.

        A tensor whose gradient is None is not stepped. `asked` has what this step and those that follow change of the
        rules. Raises RuntimeError if `step_count` is no longer what the schedules were asked with. Returns the norm in float64
        (on a GPU an array there) if the options ask for it, else None.
        """


class Backend(Protocol):
    """A module with these functions."""

    def tensors(
        self,
        params: Sequence[Any],
        states: Sequence[Sequence[Any]],
        group_sizes: Sequence[int],
        rules: Sequence[Rule],
        steps: Sequence[int],
        capturable: bool = False,
    ) -> Tensors:
        """`group_sizes` has the number of tensors in each group, in order; `steps` has the step count of each tensor."""
        ...

    def full_like(self, param: Any, values: Sequence[float | None]) -> list[Any]:
        """For each value an array laid out like `param` and filled with it, for None a copy; none if `param` is not usable."""
        ...

    def view(self, array: Any, place: Place) -> Any:
        """A NumPy or CuPy array over the memory of an array of any library. Raises Refused."""

    def compile(self, tensors: Tensors) -> None:
        """Compile the kernels of a step now, if they are compiled at run time."""

    def global_norm(self, grads: Sequence[Any], threads: int) -> Any:
        """The Euclidean norm of all gradients that are not None, in float64; on a GPU an array there."""

    def pack(self, arrays: Sequence[Any], /) -> Any:
        """A one-dimensional copy of all elements of float32 arrays, aligned to 64 bytes. Raises Refused."""

    def to_host(self, array: Any) -> Any:
        """A NumPy array with the values of `array`, possibly sharing its memory."""

    def assignment(self, array: Any, values: Any) -> Call:
        """The call that copies the values of a NumPy array of the same shape and dtype into `array`."""
        ...

    def rule_calls(self, tensors: Any, rules: Sequence[Rule]) -> list[Call]:
        """The calls of :meth:`Tensors.set_rules`, to make at once with others within a change."""
        ...
