"""What a backend offers: cpu.py and cuda/functions.py are the ones there are."""

from collections.abc import Sequence
from typing import Any, Protocol

from fastadam._native import Rule, StepOptions


class Tensors(Protocol):
    """Parameters with their states, in groups, checked and ready to be stepped together.

    They own the rule of each group and all counts.
    """

    @property
    def device(self) -> int | None:
        """The GPU that all arrays are on; None: they are in the CPU's memory."""

    @property
    def steps(self) -> Any:
        """How many steps each tensor has taken: one-dimensional int64, which may be written to."""

    @property
    def skips(self) -> Any:
        """How many steps `skip_nonfinite` left out: int64, of one element."""

    def set_rules(self, rules: Sequence[Rule]) -> None:
        """Step by these from now on, a rule for each group; or raise an error and change nothing."""

    def step(self, grads: Sequence[Any], options: StepOptions, threads: int) -> Any:
        """Step every tensor that has a gradient and add one to its step count, or raise :class:`Refused` and change nothing.

        A gradient that is None leaves its tensor alone. Returns the norm, float64, if the options want it (on a device as an
        array there), else None.
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
        """`group_sizes` are how many tensors, in their order, each group has; `steps` how many steps each has taken."""
        ...

    def full_like(self, param: Any, values: Sequence[float | None]) -> list[Any]:
        """An array like `param` for each value, full of it, or for None a copy; none if :meth:`tensors` refuses `param`."""
        ...

    def compile(self, tensors: Tensors) -> None:
        """Compile what a step needs now, if it is compiled at run time."""

    def global_norm(self, grads: Sequence[Any], threads: int) -> Any:
        """The Euclidean norm of all gradients that are not None, float64; on a device as an array there."""

    def pack(self, arrays: Sequence[Any], /) -> Any:
        """A one-dimensional copy of all elements of float32 arrays, aligned to 64 bytes; or Refused."""

    def to_host(self, array: Any) -> Any:
        """A NumPy array with the values of `array`, which may be its own memory."""

    def assign(self, array: Any, values: Any) -> None:
        """Copy the values of a NumPy array of the same shape and dtype into `array`."""
