"""What a backend offers: fastadam/backends/cpu.py and fastadam/backends/cuda/backend.py are the ones there are."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from fastadam import _native


class GradientOptions(NamedTuple):
    """What a step does to gradients before its rule sees them; see :meth:`fastadam.Optimizer.step`."""

    grad_scale: float = 1.0
    clip_value: float = math.inf
    max_norm: float | None = None  # infinity: only find the norm
    skip_nonfinite: bool = False

    @property
    def needs_norm(self) -> bool:
        return self.max_norm is not None or self.skip_nonfinite


class Tensors(Protocol):
    """Parameters with their states, in groups, checked and ready to be stepped together."""

    def step(
        self,
        rules: Sequence[_native.Rule],
        grads: Sequence[Any],
        steps: Any,
        skips: Any,
        gradient_options: GradientOptions,
        threads: int,
    ) -> Any:
        """Step every tensor that has a gradient and add one to its step count, or raise :class:`Refused` and change nothing.

        There is a rule for each group. A gradient that is None leaves its tensor alone. `steps` has a count for each tensor;
        `skips` is one count, of the steps that `skip_nonfinite` left out. Returns the norm, float64, if the options need it
        (on a device as an array there), else None.
        """


class Backend(Protocol):
    """A module with these functions."""

    def tensors(
        self, params: Sequence[Any], states: Sequence[Sequence[Any]], group_sizes: Sequence[int], capturable: bool = False
    ) -> Tensors:
        """`group_sizes` are how many tensors, in their order, each group has."""
        ...

    def full_like(self, param: Any, values: Sequence[float]) -> list[Any]:
        """An array like `param` for each value, full of it; none if `param` is not usable, which :meth:`tensors` refuses."""
        ...

    def step_counts(self, param: Any, count: int, capturable: bool = False) -> Any:
        """`count` zeros of 64 bits, in the CPU's memory, or if `capturable` beside `param`."""

    def global_norm(self, grads: Sequence[Any], threads: int) -> Any:
        """The Euclidean norm of all gradients that are not None, float64; on a device as an array there."""

    def pack(self, arrays: Sequence[Any], /) -> Any:
        """A one-dimensional copy of all elements of float32 arrays, aligned to 64 bytes; or Refused."""

    def to_host(self, array: Any) -> Any:
        """A NumPy array with the values of `array`, which may be its own memory."""

    def assign(self, array: Any, values: Any) -> None:
        """Copy the values of a NumPy array of the same shape and dtype into `array`."""
