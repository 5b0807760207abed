"""fastadam, the walls it is measured against and the NumPy expression. The other peers are in peers.py."""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from answers import BETAS, EPS, LR, WEIGHT_DECAY, Answer, adamw, divider_wall, memory_wall, reference_adamw
from buffers import CHECKED, TIMED, Array, Buffers, Data

import fastadam
from fastadam import _native
from fastadam.devices import backend_of
from fastadam.optimizer import Optimizer


class Contender:
    """One implementation on the arrays of a case. A constructor raises ImportError if the peer is not installed."""

    name: ClassVar[str]
    kind: ClassVar[str] = "peer"  # or "ours", "wall"
    answer: ClassVar[Answer] = staticmethod(adamw)
    checked: ClassVar[Data] = CHECKED
    sample_seconds: ClassVar[float] = 1e-3  # about what a sample shall take

    step: Callable[[], Any]  # takes one step of all tensors, in place

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        self._buffers = buffers

    def load(self, data: Data) -> None:
        """Start from `data`."""
        self._buffers.fill(data)

    def refill(self) -> None:
        """Called before every sample: back to values whose arithmetic is known to be of normal speed."""
        self.load(TIMED)

    def time(self, steps: int) -> float:
        """Nanoseconds of one step, from `steps` of them in a row."""
        step = self.step
        start = perf_counter_ns()
        for _ in itertools.repeat(None, steps):
            step()
        return (perf_counter_ns() - start) / max(steps, 1)

    def arrays(self, role: str) -> Sequence[Array]:
        """The tensors of a role, to read."""
        return self._buffers.tensors[role]


def as_given(tensors: Sequence[Array]) -> Any:
    """One buffer is passed as an array, several as a list: the way a user would."""
    return tensors[0] if len(tensors) == 1 else list(tensors)


class _Native(Contender):
    """Anything that runs through fastadam's optimizer."""

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        super().__init__(buffers, threads)
        tensors = buffers.tensors
        optimizer = self._optimizer(as_given(tensors["param"]))
        # In place of the state that it has allocated, the memory that everybody uses.
        states = [list(state) for state in zip(tensors["exp_avg"], tensors["exp_avg_sq"], strict=True)]
        optimizer._tensors = backend_of(tensors["param"][0]).tensors(tensors["param"], states, [len(states)])
        if threads is not None:
            fastadam.set_num_threads(threads)
        self.step = functools.partial(optimizer.step, as_given(tensors["grad"]))

    def _optimizer(self, params: Any) -> Optimizer:
        raise NotImplementedError


class Fastadam(_Native):
    name = "fastadam"
    kind = "ours"
    answer = staticmethod(reference_adamw)

    def _optimizer(self, params: Any) -> Optimizer:
        return fastadam.AdamW(params, lr=LR, betas=BETAS, eps=EPS, weight_decay=WEIGHT_DECAY)


@dataclass(frozen=True)
class WallOptions:
    """Options of the rule in walls.hpp, so that a wall pays for the same Python and native calls as Adam."""

    divide: bool
    initial_state: ClassVar[Mapping[str, float]] = MappingProxyType({"exp_avg": 0.0, "exp_avg_sq": 0.0})

    @functools.cached_property
    def rule(self) -> _native.Rule:
        return _native.Rule("wall", {"unused": 0.0}, {"divide"} if self.divide else set())


class MemoryWall(_Native):
    """The twin: the same loads and stores, no arithmetic."""

    name = "memory wall"
    kind = "wall"
    answer = staticmethod(memory_wall)
    checked = TIMED
    divide: ClassVar[bool] = False

    def _optimizer(self, params: Any) -> Optimizer:
        return Optimizer(params, WallOptions(self.divide), capturable=False)


class DividerWall(MemoryWall):
    """The twin with one square root and one division."""

    name = "divider wall"
    answer = staticmethod(divider_wall)
    divide = True


def corrected(t: int) -> tuple[float, float]:
    """The step size and epsilon of step `t`, which correct the bias of the moments."""
    b1, b2 = BETAS
    k1, k2 = 1 - b1**t, 1 - b2**t
    return LR * k2**0.5 / k1, EPS * k2**0.5


class NumpyExpression(Contender):
    """What one writes without a library. In-place operators where they are natural, temporaries elsewhere."""

    name = "NumPy"

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        super().__init__(buffers, threads)
        self._members = list(zip(*buffers.tensors.values(), strict=True))
        self._t = 0

    def step(self) -> None:
        self._t += 1
        b1, b2 = BETAS
        a, e = corrected(self._t)
        for p, g, m, v in self._members:
            m *= b1
            m += (1 - b1) * g
            v *= b2
            v += (1 - b2) * g * g
            p *= 1 - LR * WEIGHT_DECAY
            p -= a * m / (np.sqrt(v) + e)
