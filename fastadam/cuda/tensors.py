"""Lists of tensors on one GPU: their checks and their steps."""

import operator
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastadam import _native
from fastadam._native import Refused
from fastadam.cuda import arrays, kernels
from fastadam.cuda.gpu import gpu
from fastadam.cuda.launch import COEFFICIENT_BYTES, Argument, Tables, launch, write
from fastadam.cuda.source import SHAPE
from fastadam.refusals import GRAD, PARAM, STATE

MAX_STATES, MAX_OPTIONS = 3, 16
MOST_STEPS = 2**63 - 2


class Tensors:
    """Parameters and their states, stepped by one launch for each step count among them: nearly always one."""

    def __init__(self, params: Sequence[Any], states: Sequence[Sequence[Any]]) -> None:
        self._owned: list[list[Any]] = []  # each tensor's parameter and states; kept alive
        for i, (param, state) in enumerate(zip(params, states, strict=True)):
            roles = (PARAM, *range(STATE, STATE + len(state)))
            group = [arrays.view(array, (role, i), True) for role, array in zip(roles, (param, *state), strict=True)]
            self._owned.append(group)
            for role, array in zip(roles, group, strict=True):
                arrays.expect_usable(array, (role, i), group[0].shape, self.device)
        params = [group[0] for group in self._owned]
        self._layouts = [(param.dtype, param.shape, param.strides, self.device) for param in params]
        self._sizes = [param.size for param in params]
        self._array_type = gpu().ndarray
        addresses = [[array.data.ptr for array in group] for group in self._owned]
        self._memory = _native.OwnedMemory(addresses, self._sizes)
        self._records = [
            [param, 0, *state, *[0] * (MAX_STATES - len(state)), size]
            for (param, *state), size in zip(addresses, self._sizes, strict=True)
        ]
        self._grads: list[weakref.ref[Any]] = []
        self._grad_addresses: list[int] = []
        self._prepare()

    def _prepare(self) -> None:
        """Makes what is the same in every step."""
        if len(self._records) == 1:  # which needs no tables
            self._argument = Argument(self._records[0], COEFFICIENT_BYTES)
            self._blocks = -(-self._sizes[0] // SHAPE.chunk)
        else:
            with gpu().on(self.device):
                self._tables = [Tables(self._records)]  # one for each step count, in their order, which steps keep

    @property
    def device(self) -> int:
        """The GPU that all arrays are on."""
        return int(self._owned[0][0].data.device_id)

    def kernels(self, rule: _native.Rule) -> kernels.Kernels:
        """The kernels of `rule`, compiled if need be, for the current device, which is that of the arrays."""
        return kernels.of(rule.type_name, rule.flags, self.device)

    def step(self, rule: _native.Rule, grads: Sequence[Any], steps: Any, threads: int = 0) -> None:
        """See :class:`fastadam.backend.Tensors`. `threads` is for CPUs."""
        with gpu().on(self.device):
            if gpu().is_capturing():
                raise RuntimeError(
                    "the step is being captured into a CUDA graph, in which its step count would never advance; make the "
                    "optimizer with capturable=True"
                )
            grads, addresses = self._usable(grads)
            counts = steps.tolist()
            for i, count in enumerate(counts):
                if not 0 <= count <= MOST_STEPS:
                    raise Refused("step", (PARAM, i), (PARAM, i), "")
            compiled = self.kernels(rule)
            if len(counts) == 1:
                self._argument.integers[1] = addresses[0]
                self._argument.set_coefficients(rule.coefficients(counts[0] + 1))
                launch(compiled.step, self._blocks, self._argument)
            else:
                for k, count in enumerate(sorted(set(counts))):
                    if k == len(self._tables):
                        self._tables.append(self._tables[0].with_own_grads())
                    chosen = [a if c == count else 0 for a, c in zip(addresses, counts, strict=True)]
                    self._tables[k].set_grads(chosen, compiled.write)
                    argument = Argument(self._tables[k].integers, COEFFICIENT_BYTES)
                    argument.set_coefficients(rule.coefficients(count + 1))
                    launch(compiled.step_list, self._tables[k].blocks, argument)
            self._remember(grads, addresses)
            steps += 1

    def _usable(self, grads: Sequence[Any]) -> tuple[Sequence[Any], list[int]]:
        """The gradients as arrays and their addresses, checked unless they are the very objects of last time."""
        if len(self._grads) == len(grads) and all(map(operator.is_, [known() for known in self._grads], grads)):
            return grads, self._grad_addresses
        views, addresses = [], []
        for i, (grad, layout) in enumerate(zip(grads, self._layouts, strict=True)):
            if type(grad) is not self._array_type:
                grad = arrays.view(grad, (GRAD, i), False)
            memory = grad.data
            # For speed: what has all that the parameter has needs no further look.
            if (grad.dtype, grad.shape, grad.strides, memory.device_id) != layout or memory.ptr % 4:
                arrays.expect_usable(grad, (GRAD, i), layout[1], self.device)
            views.append(grad)
            addresses.append(memory.ptr)
        if addresses != self._grad_addresses:
            self._memory.expect_apart(addresses, self._sizes)
        return views, addresses

    def _remember(self, grads: Sequence[Any], addresses: list[int]) -> None:
        if addresses is not self._grad_addresses:
            self._grad_addresses = addresses
            self._grads = [weakref.ref(grad) for grad in grads]


class CapturableTensors(Tensors):
    """Tensors whose step counts and coefficients live on the device, so that a CUDA graph can repeat a step."""

    def _prepare(self) -> None:
        count = len(self._records)
        with gpu().on(self.device):
            self._all = Tables(self._records)
            self._coefficients = gpu().empty(count * COEFFICIENT_BYTES, np.uint8)
            self._options = gpu().empty(MAX_OPTIONS, np.float64)
            self._spare: Tables | None = self._all.with_own_grads()
        self._captured: list[Tables] = []  # graphs hold their addresses
        self._captured_flags: set[int] = set()

    def set_options(self, rule: _native.Rule) -> None:
        """Writes real-valued options to the device, from where captured steps read them."""
        if self._captured_flags - {rule.flags}:
            raise ValueError(
                "a CUDA graph was captured with other options than these, and cannot change which terms a step has (maximize, "
                "or whether there is weight decay); set them before the capture, or make a new optimizer"
            )
        with gpu().on(self.device):
            write(self.kernels(rule).write, self._options, rule.options)

    def step(self, rule: _native.Rule, grads: Sequence[Any], steps: Any, threads: int = 0) -> None:
        """As :meth:`Tensors.step`, with `steps` on the device. What it launches may be captured and replayed."""
        with gpu().on(self.device):
            grads, addresses = self._usable(grads)
            compiled, tables = self.kernels(rule), self._all
            if gpu().is_capturing():
                tables, self._spare = self._spare or tables.with_own_grads(), None
                self._captured.append(tables)
                self._captured_flags.add(rule.flags)
            elif self._spare is None:  # for the next capture, while memory can be allocated
                self._spare = tables.with_own_grads()
            tables.set_grads(addresses, compiled.write)
            where = [self._options.data.ptr, steps.data.ptr, self._coefficients.data.ptr, len(addresses)]
            launch(compiled.advance, -(-len(addresses) // SHAPE.block), Argument(where))
            launch(compiled.step_capturable, tables.blocks, Argument([*tables.integers, self._coefficients.data.ptr]))
            self._remember(grads, addresses)
