"""AdamW over PyTorch's tensors: ``fastadam.torch``'s step beside those of ``torch.optim``, alone and in training loops.

Of a step on one thread, that thread's CPU time is measured as well, which other programs disturb less.
"""

from collections.abc import Callable, Sequence
from time import perf_counter_ns, thread_time_ns
from typing import Any, ClassVar

from answers import BETAS, EPS, LR, WEIGHT_DECAY, reference_adamw
from cases import GPT2_SMALL, GPT2_SUBSET, SMALL_TENSORS, Case
from contenders import Contender
from measure import measure
from peers import Torch, TorchForeach, TorchFused

CPU = "cpu_"
NARROW = ((16,),) * 74 + ((16, 16),) * 74  # as many tensors as GPT-2 small has
ONE, SAME = Case("one of 1,000", ((1000,),)), Case("148 of width 16", NARROW)
RENEWED = Case("148 of width 16, new gradients", NARROW, new_gradients=True)


class Steps(Torch):
    """Steps alone. Nobody writes to the gradients, so that the moments stay normal numbers without a refill."""

    def before_steps(self, case: Case) -> Callable[[], Any] | None:
        return self._renew if case.new_gradients else None

    def _renew(self) -> None:
        for param, grad in zip(self.params, [param.grad.clone() for param in self.params], strict=True):
            param.grad = grad

    def refill(self) -> None:
        """Nothing to do."""


class Ours(Steps):
    name = "fastadam"
    kind = "ours"
    answer = staticmethod(reference_adamw)

    @classmethod
    def optimizer(cls, params: list[Any]) -> Any:
        from fastadam.torch import AdamW

        return AdamW(params, lr=LR, betas=BETAS, eps=EPS, weight_decay=WEIGHT_DECAY, strict=True)


class Default(Steps):
    name = "torch default"
    variant: ClassVar = {}


class Foreach(Steps, TorchForeach):
    """``foreach=True``."""


class Fused(Steps, TorchFused):
    """``fused=True``."""


CLOCKS = {perf_counter_ns: "", thread_time_ns: CPU}  # the prefix of a row's times
CONTENDERS: list[type[Contender]] = [Ours, Fused, Foreach, Default]


def plan(short: bool, threads: int) -> list[tuple[Case, list[type[Contender]]]]:
    """Which contenders are compared with which, in steps alone. More threads are for large tensors."""
    large = GPT2_SUBSET if short else GPT2_SMALL
    return [(case, CONTENDERS) for case in ((ONE, SAME, RENEWED, SMALL_TENSORS, large) if threads == 1 else (large,))]


def measure_twice(contenders: Sequence[Contender], case: Case, threads: int | None, budget: float) -> list[dict[str, Any]]:
    """The rows of :func:`measure`; on one thread, with the CPU time, in the same way."""
    rows = measure(contenders, case, threads, budget / 2)
    if threads == 1:
        for contender in contenders:
            contender.clock = thread_time_ns
        for row, again in zip(rows, measure(contenders, case, threads, budget / 2), strict=True):
            row |= {CPU + key: again[key] for key in ("nanoseconds", "quartiles", "times_fastadam")}
    return rows
