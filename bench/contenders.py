"""fastadam, the machine's limits (walls) and a NumPy expression. The other libraries (peers) are in peers.py."""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter_ns
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from answers import BETAS, EPS, LR, WEIGHT_DECAY, Answer, Bounds, adamw, memory_wall, reference_adamw
from buffers import ADAM_STATES, CHECKED, TIMED, Array, Buffers, Data, roles
from cases import Case

import fastadam
from fastadam.optimizers.checks import flag, real
from fastadam.optimizers.hyperparameters import Hyperparameter
from fastadam.optimizers.members import Members


class Contender:
    """One implementation on the arrays of a case. A constructor raises ImportError if the peer is not installed."""

    name: ClassVar[str]
    kind: ClassVar[str] = "peer"  # or "ours", "wall"
    answer: ClassVar[Answer] = staticmethod(adamw)
    checked: ClassVar[Data] = CHECKED
    sample_seconds: ClassVar[float] = 1e-3  # about how long a sample takes
    states: ClassVar[int] = ADAM_STATES
    most_tensors: ClassVar[int | None] = None  # it is left out of cases with more, for the reason in `why_not_more`
    why_not_more: ClassVar[str]

    step: Callable[[], Any]  # takes one step of all tensors, in place
    before: Callable[[], Any] | None = None  # called before each step, outside its time
    clock: Callable[[], int] = staticmethod(perf_counter_ns)  # in nanoseconds
    timed: Data = TIMED  # what its time is taken with

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        self._buffers = buffers

    def load(self, data: Data) -> None:
        """Start from `data`."""
        self._buffers.fill(data)

    def typed(self, data: Data) -> Data:
        """`data` in the type of its arrays."""
        return self._buffers.typed(data)

    def refill(self) -> None:
        """Called before every sample: resets the arrays to values whose arithmetic has normal speed."""
        self.load(self.timed)

    def before_steps(self, case: Case) -> Callable[[], Any] | None:
        """What a case says is done before each step."""
        return self.product(case.product) if case.product else None

    def product(self, size: int) -> Callable[[], Any]:
        """A product of square matrices by the library that this contender is used with."""
        a, b, out = (np.full((size, size), 0.5, np.float32) for _ in range(3))
        return functools.partial(np.matmul, a, b, out=out)

    def time(self, steps: int) -> float:
        """Nanoseconds per step, from `steps` steps in a row."""
        step, clock = self.step, self.clock
        if self.before is not None:
            return sum(self._time_after(self.before) for _ in range(steps)) / max(steps, 1)
        start = clock()
        for _ in itertools.repeat(None, steps):
            step()
        return (clock() - start) / max(steps, 1)

    def _time_after(self, before: Callable[[], Any]) -> int:
        before()
        start = self.clock()
        self.step()
        return self.clock() - start

    def arrays(self, role: str) -> Sequence[Array]:
        """The tensors of a role, for reading."""
        return self._buffers.tensors[role]


def as_given(tensors: Sequence[Array]) -> Any:
    """Pass one buffer as an array and several as a list, as users would."""
    return tensors[0] if len(tensors) == 1 else list(tensors)


class Native(Contender):
    """Anything that runs through fastadam's optimizer."""

    step_options: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        super().__init__(buffers, threads)
        params, grads, *states = (buffers.tensors[role] for role in roles(self.states))
        optimizer = self._optimizer(as_given(params))
        # The shared memory, in place of the states that it has allocated.
        groups, members = optimizer._groups, optimizer._members
        names = groups[0].hyperparameters.initial_state
        shared = [dict(zip(names, arrays, strict=True)) for arrays in zip(*states, strict=True)] or [{}] * len(params)
        optimizer._members = Members(members.structure, members.params, shared, groups, members.capturable)
        if threads is not None:
            fastadam.set_num_threads(threads)
        self.step = functools.partial(optimizer.step, as_given(grads), **self.step_options)
        self._hyperparameters = groups[0].hyperparameters

    def _optimizer(self, params: Any) -> fastadam.Optimizer:
        raise NotImplementedError


class Fastadam(Native):
    name = "fastadam"
    kind = "ours"
    answer = staticmethod(reference_adamw)

    def _optimizer(self, params: Any) -> fastadam.Optimizer:
        return fastadam.AdamW(params, lr=LR, betas=BETAS, eps=EPS, weight_decay=WEIGHT_DECAY)


class Wall(fastadam.Optimizer):
    """Steps by a rule in walls.hpp, so that a wall has the same call overhead as Adam."""

    unused = Hyperparameter(real, 0.0, "A rule has an option at least.")
    divide = Hyperparameter(flag, False, "Whether there is a division for each element.")

    def __init__(self, params: Any, divide: bool) -> None:
        self._make(params, {"unused": 0.0, "divide": divide, "ema_decay": None}, capturable=False, state=None)


class MemoryWall(Native):
    """The twin: a kernel with the same loads and stores and no arithmetic."""

    name = "memory wall"
    kind = "wall"
    checked = TIMED
    divide: ClassVar[bool] = False

    def answer(self, data: Data, steps: int) -> Bounds:
        return memory_wall(data, steps, states=self.states, divide=self.divide)

    def _optimizer(self, params: Any) -> fastadam.Optimizer:
        wall = type("Wall", (Wall,), {"_rule_name": f"wall{self.states}"})
        return wall(params, self.divide)


class DividerWall(MemoryWall):
    """The memory wall with one square root and one division."""

    name = "divider wall"
    divide = True


def corrected(t: int) -> tuple[float, float]:
    """The step size and epsilon of step `t`, which correct the bias of the moments."""
    b1, b2 = BETAS
    k1, k2 = 1 - b1**t, 1 - b2**t
    return LR * k2**0.5 / k1, EPS * k2**0.5


class NumpyExpression(Contender):
    """AdamW as written without a library: in-place operators where they are natural, temporaries elsewhere."""

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
