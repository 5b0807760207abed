"""What a backend offers: fastadam/cpu.py and fastadam/cuda/backend.py are the ones there are."""

from collections.abc import Sequence
from typing import Any, Protocol

from fastadam import _native


class Tensors(Protocol):
    """Parameters with their states, checked and ready to be stepped together."""

    def step(self, rule: _native.Rule, grads: Sequence[Any], steps: Any, threads: int) -> None:
        """Step every tensor and add one to each of `steps`, or raise :class:`Refused` and change nothing."""


class Backend(Protocol):
    """A module with these functions."""

    def tensors(self, params: Sequence[Any], states: Sequence[Sequence[Any]], capturable: bool = False) -> Tensors: ...

    def full_like(self, param: Any, values: Sequence[float]) -> list[Any]:
        """An array like `param` for each value, full of it; none if `param` is not usable, which :meth:`tensors` refuses."""

    def step_counts(self, params: Sequence[Any], capturable: bool = False) -> Any:
        """A zero of 64 bits for each parameter, in the CPU's memory, or if `capturable` beside the parameters."""
