"""The launches of one group: tensors that share a rule and its options."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastadam import _native
from fastadam.backends.cuda.gpu import gpu
from fastadam.backends.cuda.kernels import Kernels
from fastadam.backends.cuda.launch import COEFFICIENT_BYTES, Argument, Gradients, Tables, coefficients, launch, write
from fastadam.backends.cuda.source import SHAPE

MAX_OPTIONS = 16


class Group:
    """Tensors whose step counts are the host's: a launch for each count among them."""

    def __init__(self, records: Sequence[list[int]]) -> None:
        """`records` are the members of the struct Tensor of csrc/cuda/tensor.hpp; on the current device."""
        self._is_one = len(records) == 1
        if self._is_one:  # which needs no tables
            self._argument = Argument([*records[0], 0, 0], COEFFICIENT_BYTES)
            self._blocks = -(-records[0][-1] // SHAPE.chunk)
        else:
            self._tables = [Tables(records)]  # one for each step count, in their order, which steps keep

    def step(
        self, compiled: Kernels, rule: _native.Rule, addresses: Sequence[int], counts: Sequence[int], gradients: Gradients
    ) -> None:
        """Step the tensors whose gradient has an address."""
        if self._is_one:
            if addresses[0]:
                self._argument.integers[1] = addresses[0]
                self._argument.integers[-2:] = gradients
                self._argument.set_coefficients(coefficients(rule, counts[0] + 1))
                launch(compiled.step, self._blocks, self._argument)
            return
        present = {count for address, count in zip(addresses, counts, strict=True) if address}
        for k, count in enumerate(sorted(present)):
            if k == len(self._tables):
                self._tables.append(self._tables[0].with_own_grads())
            tables = self._tables[k]
            tables.set_grads([a if c == count else 0 for a, c in zip(addresses, counts, strict=True)], compiled.write)
            argument = Argument([*tables.integers, *gradients], COEFFICIENT_BYTES)
            argument.set_coefficients(coefficients(rule, count + 1))
            launch(compiled.step_list, tables.blocks, argument)


class CapturableGroup:
    """Tensors whose step counts and coefficients live on the device, so that a CUDA graph can repeat their step."""

    def __init__(self, records: Sequence[list[int]]) -> None:
        """As for :class:`Group`."""
        self._all = Tables(records)
        self._coefficients = gpu().empty(len(records) * COEFFICIENT_BYTES, np.uint8)
        self._options = gpu().empty(MAX_OPTIONS + 1, np.float64)
        self._written: list[float] = []
        self._spare: Tables | None = self._all.with_own_grads()
        self._captured: list[Tables] = []  # graphs hold their addresses

    def differs_from(self, rule: _native.Rule) -> bool:
        """Whether the options on the device are not those of `rule`."""
        return _numbers(rule) != self._written

    def set_options(self, rule: _native.Rule, kernel: Any) -> None:
        """Writes the real-valued options to the device."""
        write(kernel, self._options, _numbers(rule))
        self._written = _numbers(rule)

    def step(self, compiled: Kernels, addresses: Sequence[int], steps: Any, gradients: Gradients, capturing: bool) -> None:
        """As :meth:`Group.step`, with the options that were set and step counts on the device."""
        tables = self._all
        if capturing:
            tables, self._spare = self._spare or tables.with_own_grads(), None
            self._captured.append(tables)
        elif self._spare is None:  # for the next capture, while memory can be allocated
            self._spare = tables.with_own_grads()
        tables.set_grads(addresses, compiled.write)
        where = [self._options.data.ptr, steps.data.ptr, self._coefficients.data.ptr, len(addresses)]
        advance = Argument([gradients.verdict, tables.grads, *where])
        launch(compiled.advance, -(-len(addresses) // SHAPE.block), advance)
        launch(compiled.step_capturable, tables.blocks, Argument([*tables.integers, *gradients, self._coefficients.data.ptr]))


def _numbers(rule: _native.Rule) -> list[float]:
    """The rule's options and then the decay of the average, as csrc/cuda/step.cu has them."""
    return [*rule.options, rule.ema_decay or 0.0]
