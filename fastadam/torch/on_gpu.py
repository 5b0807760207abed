"""Steps of torch's tensors on a GPU, by the package's CUDA kernels on torch's current stream there.

csrc/torch looks at the tensors and passes their addresses; here are the launches. Nothing waits for the GPU.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

from fastadam._native import Rule, StepOptions
from fastadam.at_once import Call, at_once
from fastadam.backends.cuda import kernels
from fastadam.backends.cuda.cupy_runtime import gpu
from fastadam.backends.cuda.device_norm import VERDICT
from fastadam.backends.cuda.group_steps import ListSteps
from fastadam.backends.dtypes import DType
from fastadam.torch import tensor_access


@functools.cache
def missing(device: int, dtype: DType) -> str | None:
    """Why this package's kernels cannot step tensors of a type on a GPU, in words; None if they can."""
    try:
        with gpu().on(device):
            kernels.of_norms(dtype, device)  # so that a compiler that is missing is noticed too
    except (ImportError, RuntimeError) as error:
        return f"{error}"
    return None


class Prepared(NamedTuple):
    """The launches of a step on one GPU."""

    device: int
    stream: int
    calls: list[Call]
    norm: Any  # a tensor there, or None


class GpuSteps:
    """The steps of an optimizer's tensors of one type on one GPU. It keeps addresses, and no tensor."""

    def __init__(self, device: int, dtype: DType) -> None:
        self._device, self._dtype = device, dtype
        self._taken: tuple[Sequence[Any], Sequence[int], Sequence[int]] = (), (), ()
        self._list: ListSteps | None = None  # of these tensors, with tables that the work on one stream uses
        self._stream = 0

    @classmethod
    def on(cls, device: int, dtype: DType) -> Self | None:
        """Those of a GPU; None where this package's kernels cannot be used."""
        return None if missing(device, dtype) else cls(device, dtype)

    def take(self, addresses: list[list[int]], sizes: list[int], group_sizes: list[int]) -> None:
        """From now on, step these tensors: each has the addresses of its parameter and its states."""
        self._list, self._taken = None, (addresses, sizes, group_sizes)

    def prepare(self, rules: list[Rule], grads: list[int], counts: list[int], options: StepOptions) -> Prepared:
        """The step of all tensors; `grads` has the addresses of their gradients, `counts` how many steps they have taken."""
        stream = tensor_access.current_stream(self._device)
        with gpu().on(self._device), gpu().stream(stream, self._device):
            if gpu().is_capturing():
                raise RuntimeError(
                    "the step is being captured into a CUDA graph, in which its step count would never advance; set "
                    "capturable=True in the parameter groups, with which torch's own step is used"
                )
            if self._list is None or self._stream != stream:
                self._list, self._stream = ListSteps(*self._taken, self._dtype), stream
            variants = [(rule.type_name, rule.flags, rule.ema_decay is not None) for rule in rules]
            compiled = [kernels.of(*variant, self._dtype, self._device) for variant in variants]
            verdict = tensor_access.float64_numbers(VERDICT[self._dtype], self._device) if options.finds_norm else None
            address = 0 if verdict is None else verdict.data_ptr()
            calls = self._list.step(compiled, rules, grads, counts, options, address)
        return Prepared(self._device, stream, calls, None if verdict is None else verdict[0])

    @staticmethod
    def launch(prepared: Sequence[Prepared], done: Callable[[], None]) -> None:
        """Make all launches, and then call `done`, with no look at signals in between: `done` is written in C."""
        _launch(prepared, [(done,)])


def _launch(prepared: Sequence[Prepared], calls: list[Call]) -> None:
    if not prepared:
        at_once(calls)
        return
    *others, last = prepared
    with gpu().on(last.device), gpu().stream(last.stream, last.device):
        try:
            _launch(others, [gpu().use(last.device), *last.calls, *calls])
        finally:
            at_once([gpu().use(last.device)])
