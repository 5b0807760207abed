"""The launches of a step: of one group, tensors that share a rule, and of several groups with their norm."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from fastadam import _native
from fastadam.at_once import Call
from fastadam.backends.cuda.cupy_runtime import gpu
from fastadam.backends.cuda.device_norm import Norm
from fastadam.backends.cuda.kernels import Kernels
from fastadam.backends.cuda.launch import Argument, Table, Tables, launches, records
from fastadam.backends.cuda.source import SHAPE
from fastadam.backends.dtypes import DType


class GroupSteps:
    """Tensors whose step counts are on the host: one launch for each distinct count."""

    def __init__(self, tensors: Any, dtype: DType) -> None:
        """`tensors` is made by :func:`fastadam.backends.cuda.launch.records`, for the current device."""
        self._dtype = dtype
        self._is_one = len(tensors) == 1
        if self._is_one:  # which needs no tables
            self._argument = Argument("StepArguments", dtype, tensor=tensors[0])
            self._grad = self._argument.view("tensor", "grad")
            self._blocks = -(-int(tensors["size"][0]) // SHAPE.chunk)
        else:
            # One for each distinct step count, in an order that steps do not change.
            self._lists = [self._with_argument(Tables(tensors))]

    def _with_argument(self, tables: Tables) -> tuple[Tables, Argument]:
        return tables, Argument("StepListArguments", self._dtype, list=tables.list)

    def step(
        self, kernels: Kernels, rule: _native.Rule, addresses: Sequence[int], counts: Sequence[int], gradients: bytes
    ) -> list[Call]:
        """The launches that step the tensors whose gradient has an address (not 0); `gradients` is the struct Gradients."""
        if self._is_one:
            if not addresses[0]:
                return []
            self._grad[...] = addresses[0]
            self._argument.set("gradients", gradients)
            self._argument.set("coefficients", _native.cuda_coefficients(rule, counts[0] + 1))
            return launches(kernels.step, self._blocks, self._argument)
        calls = []
        distinct = set(counts)
        if len(distinct) > 1 or not all(addresses):
            distinct = {count for address, count in zip(addresses, counts, strict=True) if address}
        for k, count in enumerate(sorted(distinct)):
            if k == len(self._lists):
                self._lists.append(self._with_argument(self._lists[0][0].with_own_grads()))
            (tables, argument), some = self._lists[k], addresses
            if len(distinct) > 1:
                some = [a if c == count else 0 for a, c in zip(addresses, counts, strict=True)]
            tables.grads.set(some, kernels.write)
            argument.set("gradients", gradients)
            argument.set("coefficients", _native.cuda_coefficients(rule, count + 1))
            calls += launches(kernels.step_list, tables.blocks, argument)
        return calls


class ListSteps:
    """Groups of tensors, known by the addresses of their arrays, whose step counts are on the host."""

    def __init__(
        self, addresses: Sequence[Sequence[int]], sizes: Sequence[int], group_sizes: Sequence[int], dtype: DType
    ) -> None:
        """The addresses of each tensor are its parameter's and then its states'. Tables are made on the current device."""
        tensors, self._sizes, self._dtype = records(list(zip(addresses, sizes, strict=True))), sizes, dtype
        self._groups = [(each, GroupSteps(tensors[each], dtype)) for each in slices_of(group_sizes)]
        self._norm: Norm | None = None  # until a step needs it

    def step(
        self,
        kernels: Sequence[Kernels],
        rules: Sequence[_native.Rule],
        addresses: Sequence[int],
        counts: Sequence[int],
        options: _native.StepOptions,
        verdict: int,
    ) -> list[Call]:
        """The launches that step the tensors whose gradient has an address (not 0).

        `verdict` is the address of memory for the struct NormVerdict, if the options ask for the norm, else 0.
        """
        calls: list[Call] = []
        if verdict:
            self._norm = self._norm or Norm(self._sizes, self._dtype)
            calls += self._norm.find(addresses, options, verdict)
        for (each, group), some, rule in zip(self._groups, kernels, rules, strict=True):
            gradients = _native.cuda_gradients(options, rule, verdict)
            calls += group.step(some, rule, addresses[each], counts[each], gradients)
        return calls


def slices_of(group_sizes: Sequence[int]) -> list[slice]:
    """Where each group is in a list of all tensors."""
    return [slice(end - size, end) for end, size in zip(accumulate(group_sizes), group_sizes, strict=True)]


class CapturableGroupSteps:
    """Tensors whose step counts and coefficients are on the device, so that a CUDA graph can repeat their step."""

    def __init__(self, tensors: Any, rule: _native.Rule, dtype: DType) -> None:
        """As for :class:`GroupSteps`."""
        self._dtype = dtype
        self._all = Tables(tensors)
        self._coefficients = gpu().empty(len(tensors) * len(_native.cuda_coefficients(rule, 1)), np.uint8)
        self._options = Table(len(_numbers(rule)), np.float64)
        self._spare: Tables | None = self._all.with_own_grads()
        self._captured: list[Tables] = []  # kept alive: graphs hold their addresses

    def differs_from(self, rule: _native.Rule) -> bool:
        """Whether the options on the device differ from those of `rule`."""
        return not self._options.has(_numbers(rule))

    def set_options(self, rule: _native.Rule, kernel: Any) -> list[Call]:
        """The calls that write the rule's options to the device."""
        return self._options.sets(_numbers(rule), kernel)

    def step(
        self, kernels: Kernels, addresses: Sequence[int], steps: Any, gradients: bytes, verdict: int, capturing: bool
    ) -> list[Call]:
        """Like :meth:`GroupSteps.step`, with the options set before, and step counts and a verdict on the device."""
        tables = self._all
        if capturing:
            tables, self._spare = self._spare or tables.with_own_grads(), None
            self._captured.append(tables)
        elif self._spare is None:  # for the next capture, while memory can be allocated
            self._spare = tables.with_own_grads()
        tables.grads.set(addresses, kernels.write)
        coefficients = self._coefficients.data.ptr
        advance = Argument(
            "AdvanceArguments",
            self._dtype,
            verdict=verdict,
            grads=tables.grads.address,
            options=self._options.address,
            steps=steps.data.ptr,
            coefficients=coefficients,
            count=len(addresses),
        )
        members = {"list": tables.list, "gradients": gradients, "coefficients": coefficients}
        argument = Argument("StepCapturableArguments", self._dtype, **members)
        return [
            *launches(kernels.advance, -(-len(addresses) // SHAPE.block), advance),
            *launches(kernels.step_capturable, tables.blocks, argument),
        ]


def _numbers(rule: _native.Rule) -> list[float]:
    """The rule's options, then the decay of the average, in the order that csrc/cuda/step.cu expects."""
    return [*rule.options, rule.ema_decay or 0.0]
