"""Measurements of bench/cuda: GPU time of a step, and host time of its call."""

import itertools
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import cupy
from contenders import Contender


class OnGpu(Contender):
    """A contender whose steps are queued on CuPy's current stream, and timed by events in it."""

    # Before the first step of a sample the GPU waits some microseconds for the host. That must not count.
    sample_seconds = 20e-3

    def time(self, steps: int) -> float:
        """See :meth:`Contender.time`. If the GPU is faster than the host's calls, this is the time of the calls."""
        step, start, end = self.step, cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        for _ in itertools.repeat(None, steps):
            step()
        end.record()
        end.synchronize()
        return float(cupy.cuda.get_elapsed_time(start, end)) * 1e6 / max(steps, 1)

    def renew(self) -> None:
        """Let the next step find its gradients in new arrays, as after a backward pass. Only of those that can."""
        raise NotImplementedError

    def finish(self) -> None:
        """Wait for all queued work."""
        cupy.cuda.runtime.deviceSynchronize()


class HostTime(Contender):
    """The host's time for the same steps: until the call returns, while the GPU is idle."""

    def __init__(self, contender: OnGpu, prepare: Callable[[], Any] = lambda: None) -> None:
        """`prepare` is called before each step, outside its time."""
        self.name, self.kind, self.refill = contender.name, contender.kind, contender.refill
        self._contender, self._prepare = contender, prepare

    def time(self, steps: int) -> float:
        contender, total = self._contender, 0
        for _ in itertools.repeat(None, steps):
            self._prepare()
            step = contender.step
            contender.finish()
            start = perf_counter_ns()
            step()
            total += perf_counter_ns() - start
        contender.finish()
        return total / max(steps, 1)
