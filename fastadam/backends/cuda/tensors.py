"""Lists of tensors on one GPU: checks, step counts, rules, and steps group by group."""

import contextlib
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastadam import _native
from fastadam._native import Refused, Rule, StepOptions
from fastadam.at_once import Call, at_once
from fastadam.backends.cuda import arrays, kernels
from fastadam.backends.cuda.cupy_runtime import gpu
from fastadam.backends.cuda.device_norm import address_of, new_verdict
from fastadam.backends.cuda.group_steps import ListSteps
from fastadam.backends.cuda.known_gradients import KnownGradients
from fastadam.backends.dtypes import DType, dtype_of
from fastadam.backends.protocol import Asked
from fastadam.backends.roles import PARAM, STATE

MOST_STEPS = 2**63 - 2


class Tensors:
    """Parameters and their states. A group is stepped by one launch for each distinct step count, nearly always one.

    Python prepares a step, in which an interrupt changes nothing, and then makes all launches and counts at once.
    """

    step_count = 0
    device: int
    dtype: DType
    rules: list[Rule]
    _kernels: list[kernels.Kernels]  # of these rules; empty until a step has compiled them

    def __init__(
        self,
        params: Sequence[Any],
        states: Sequence[Sequence[Any]],
        group_sizes: Sequence[int],
        rules: Sequence[Rule],
        steps: Sequence[int],
    ) -> None:
        self._owned: list[list[Any]] = []  # each tensor's parameter and states; kept alive
        self._borrowed: list[arrays.Borrowed] = []  # those of other libraries
        for i, (param, state) in enumerate(zip(params, states, strict=True)):
            roles = (PARAM, *range(STATE, STATE + len(state)))
            owned = [arrays.taken_over(array, (role, i), True) for role, array in zip(roles, (param, *state), strict=True)]
            self._owned.append(owned)
            if i == 0:
                self.device, self.dtype = int(owned[0].data.device_id), dtype_of(owned[0])
            for role, array in zip(roles, owned, strict=True):
                arrays.expect_usable(array, (role, i), owned[0], self._owned[0][0])
            for role, array, exporter in zip(roles, owned, (param, *state), strict=True):
                if array is not exporter and array.size:
                    self._borrowed.append(arrays.Borrowed(exporter, array, (role, i)))
        self._turns = _native.Turns()
        self._sizes = [arrays.number_count(owned[0]) for owned in self._owned]
        addresses = [[array.data.ptr for array in owned] for owned in self._owned]
        memory = _native.OwnedMemory(addresses, [owned[0].nbytes for owned in self._owned])
        self._gradients = KnownGradients([owned[0] for owned in self._owned], memory, self._expect_unmoved)
        with gpu().on(self.device):
            self._prepare(addresses, group_sizes, rules, steps)
        self.set_rules(rules)

    def _prepare(
        self, addresses: list[list[int]], group_sizes: Sequence[int], rules: Sequence[Rule], steps: Sequence[int]
    ) -> None:
        """Make the counts and other arrays that steps need, on the current device."""
        self._list = ListSteps(addresses, self._sizes, group_sizes, self.dtype)
        self.steps: Any = np.array(steps, np.int64)
        self.skips: Any = np.zeros(1, np.int64)

    @property
    def is_captured(self) -> bool:
        """Whether there may be a graph that writes to the arrays of this object."""
        return False

    def set_rules(self, rules: Sequence[Rule]) -> None:
        """See :class:`fastadam.backends.protocol.Tensors`."""
        with _native.Turn(self._turns), gpu().on(self.device):
            at_once(self.rule_calls(rules))

    def rule_calls(self, rules: Sequence[Rule]) -> list[Call]:
        """See :class:`fastadam.backends.protocol.Backend`. The arrays' device must be current, and when they are made too."""
        return [(vars(self).update, {"rules": list(rules), "_kernels": []})]

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """See :class:`fastadam.backends.protocol.Tensors`. The arrays' device is current."""
        with _native.Change(self._turns), gpu().on(self.device):
            yield

    def retire(self) -> None:
        """See :class:`fastadam.backends.protocol.Tensors`."""
        self._turns.retire()

    def compile(self) -> None:
        """Compile the kernels that steps need, if they are not compiled yet."""
        with gpu().on(self.device):
            kernels.of_norms(self.dtype, self.device)
            self._compiled(self.rules)

    def _compiled(self, rules: Sequence[Rule]) -> list[kernels.Kernels]:
        """The kernels of the rules, for the arrays' device, which must be current."""
        averages = [rule.ema_decay is not None for rule in rules]
        pairs = zip(rules, averages, strict=True)
        return [kernels.of(rule.type_name, rule.flags, average, self.dtype, self.device) for rule, average in pairs]

    def step(self, grads: Sequence[Any], options: StepOptions, threads: int = 0, asked: Asked | None = None) -> Any:
        """See :class:`fastadam.backends.protocol.Tensors`. `threads` is for CPUs."""
        if options.raises_nonfinite:
            raise ValueError(
                "skip_nonfinite is 'raise', which a step on a GPU cannot do without waiting for it; pass True, with "
                "capturable=True, and look at skipped_steps, or look at the norm that the step returns"
            )
        with _native.Turn(self._turns), gpu().on(self.device):
            if asked is None:
                calls, norm = self._step(grads, options, self.rules, self._kernels)
                at_once([*calls, (setattr, self, "step_count", self.step_count + 1)])
                return norm
            count, schedules, values = asked
            if count != self.step_count:
                raise RuntimeError(
                    "the optimizer was stepped, or its step_count set, while the schedules of this step were asked; do not "
                    "step it in a schedule, and let one thread at a time use it"
                )
            rules = [Rule(rule) for rule in self.rules]
            schedules.set(values, rules)
            ruling = self.rule_calls(rules)
            calls, norm = self._step(grads, options, rules, [])
            at_once([*ruling, *calls, (setattr, self, "step_count", count + 1), (setattr, schedules, "values", values)])
            return norm

    def _step(
        self, grads: Sequence[Any], options: StepOptions, rules: Sequence[Rule], compiled: list[kernels.Kernels]
    ) -> tuple[list[Call], Any]:
        """The calls of a step by these rules but for `step_count`, and the norm, if it is asked for. On the current device."""
        if options.skip_nonfinite:
            raise ValueError(
                "skip_nonfinite is True, but only the GPU would know whether the step was skipped, and the step counts are in "
                "the CPU's memory; make the optimizer with capturable=True, which keeps them on the GPU"
            )
        if gpu().is_capturing():
            raise RuntimeError(
                "the step is being captured into a CUDA graph, in which its step count would never advance; make the "
                "optimizer with capturable=True"
            )
        usable = self._gradients.usable(grads)
        counts = self.steps.tolist()
        least, most = min(counts), max(counts)
        if least < 0 or most > MOST_STEPS:
            for i, count in enumerate(counts):
                if not 0 <= count <= MOST_STEPS and i not in usable.missing:
                    raise Refused("step", (PARAM, i), (PARAM, i), "")
        new_counts: Any = most + 1
        if usable.missing or least < most:
            new_counts = self.steps + 1
            new_counts[usable.missing] -= 1
        calls: list[Call] = []
        if not compiled:
            compiled = self._compiled(rules)
            calls.append((setattr, self, "_kernels", compiled))
        verdict = new_verdict(self.dtype) if options.finds_norm else None
        calls += self._list.step(compiled, rules, usable.addresses, counts, options, address_of(verdict))
        calls.append((operator.setitem, self.steps, ..., new_counts))
        return calls, None if verdict is None else verdict[0]

    def _expect_unmoved(self) -> None:
        """Raise Refused if an array of another library has other memory than when it was taken over."""
        for borrowed in self._borrowed:
            borrowed.expect_unmoved()
