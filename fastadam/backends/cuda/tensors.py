"""Lists of tensors on one GPU: checks, step counts, rules, and steps group by group."""

import contextlib
import operator
import weakref
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from fastadam import _native
from fastadam._native import Refused, Rule, StepOptions
from fastadam.backends.cuda import arrays, kernels
from fastadam.backends.cuda.cupy_runtime import gpu
from fastadam.backends.cuda.device_norm import Norm, new_verdict
from fastadam.backends.cuda.group_steps import GroupSteps
from fastadam.backends.cuda.launch import records
from fastadam.backends.protocol import Asked
from fastadam.backends.roles import GRAD, PARAM, STATE

MOST_STEPS = 2**63 - 2
_ADDRESS = operator.attrgetter("data.ptr")
_layout = operator.attrgetter("dtype", "shape", "strides", "data.device_id")
NO_ELEMENTS = 1  # stands for the address of an empty array, which may be 0; 0 stands for a missing gradient


class Tensors:
    """Parameters and their states. A group is stepped by one launch for each distinct step count, nearly always one."""

    group_type: Any = GroupSteps
    step_count = 0

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
            owned = [arrays.view(array, (role, i), True) for role, array in zip(roles, (param, *state), strict=True)]
            self._owned.append(owned)
            for role, array in zip(roles, owned, strict=True):
                arrays.expect_usable(array, (role, i), owned[0].shape, self.device)
            for role, array, exporter in zip(roles, owned, (param, *state), strict=True):
                if array is not exporter and array.size:
                    self._borrowed.append(arrays.Borrowed(exporter, array, (role, i)))
        params = [owned[0] for owned in self._owned]
        self._layouts = [_layout(param) for param in params]
        self._sizes = [param.size for param in params]
        self._array_type = gpu().ndarray
        addresses = [[array.data.ptr for array in owned] for owned in self._owned]
        self._memory = _native.OwnedMemory(addresses, self._sizes)
        tensors = records(list(zip(addresses, self._sizes, strict=True)))
        ends = list(accumulate(group_sizes))
        self._slices = [slice(end - size, end) for end, size in zip(ends, group_sizes, strict=True)]
        self._known: list[weakref.ref[Any]] | None = None  # the gradients of the last step, without the missing ones
        self._missing: list[int] = []
        self._addresses: list[int] = []
        with gpu().on(self.device):
            self._groups = [self.group_type(tensors[each], rule) for each, rule in zip(self._slices, rules, strict=True)]
            self._prepare(steps)
        self.set_rules(rules)

    def _prepare(self, steps: Sequence[int]) -> None:
        """Make the counts and other arrays that steps need, on the current device."""
        self.steps: Any = np.array(steps, np.int64)
        self.skips: Any = np.zeros(1, np.int64)
        self._norm: Norm | None = None  # until a step needs it

    @property
    def device(self) -> int:
        """See :class:`fastadam.backends.protocol.Tensors`."""
        return int(self._owned[0][0].data.device_id)

    @property
    def is_captured(self) -> bool:
        """Whether there may be a graph that writes to the arrays of this object."""
        return False

    def set_rules(self, rules: Sequence[Rule]) -> None:
        """See :class:`fastadam.backends.protocol.Tensors`."""
        self.rules = list(rules)
        self._kernels: list[kernels.Kernels] = []  # of these rules, when a step has compiled them

    # A GPU's tensors do not keep threads apart.

    def change(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def retire(self) -> None:
        pass

    def compile(self) -> None:
        """Compile the kernels that steps need, if they are not compiled yet."""
        with gpu().on(self.device):
            kernels.of_norms(self.device)
            self._compiled(self.rules)

    def _compiled(self, rules: Sequence[Rule]) -> list[kernels.Kernels]:
        """The kernels of the rules, for the arrays' device, which must be current."""
        return [kernels.of(rule.type_name, rule.flags, rule.ema_decay is not None, self.device) for rule in rules]

    def step(self, grads: Sequence[Any], options: StepOptions, threads: int = 0, asked: Asked | None = None) -> Any:
        """See :class:`fastadam.backends.protocol.Tensors`. `threads` is for CPUs."""
        if options.raises_nonfinite:
            raise ValueError(
                "skip_nonfinite is 'raise', which a step on a GPU cannot do without waiting for it; pass True, with "
                "capturable=True, and look at skipped_steps, or look at the norm that the step returns"
            )
        if asked is None:
            norm = self._step(grads, options)
            self.step_count += 1
            return norm
        count, rules, take_note = asked
        if count != self.step_count:
            raise RuntimeError(
                "the optimizer was stepped, or its step_count set, while the schedules of this step were asked; do not step it "
                "in a schedule, and let one thread at a time use it"
            )
        before = self.rules
        self.set_rules(rules)
        try:
            norm = self._step(grads, options)
        except BaseException:
            self.set_rules(before)
            raise
        self.step_count += 1
        take_note()
        return norm

    def _step(self, grads: Sequence[Any], options: StepOptions) -> Any:
        """A step by the present rules, which is not in `step_count` yet."""
        if options.skip_nonfinite:
            raise ValueError(
                "skip_nonfinite is True, but only the GPU would know whether the step was skipped, and the step counts are in "
                "the CPU's memory; make the optimizer with capturable=True, which keeps them on the GPU"
            )
        with gpu().on(self.device):
            if gpu().is_capturing():
                raise RuntimeError(
                    "the step is being captured into a CUDA graph, in which its step count would never advance; make the "
                    "optimizer with capturable=True"
                )
            present, addresses, missing = self._usable(grads)
            counts = self.steps.tolist()
            if min(counts) < 0 or max(counts) > MOST_STEPS:
                for i, count in enumerate(counts):
                    if not 0 <= count <= MOST_STEPS and i not in missing:
                        raise Refused("step", (PARAM, i), (PARAM, i), "")
            self._kernels = compiled = self._kernels or self._compiled(self.rules)
            verdict = None
            if options.finds_norm:
                verdict = new_verdict()
                self._norm = self._norm or Norm(self._sizes)
                self._norm.find(addresses, options, verdict)
            for group, each, some, rule in zip(self._groups, self._slices, compiled, self.rules, strict=True):
                gradients = _native.cuda_gradients(options, rule.maximize, address_of(verdict))
                group.step(some, rule, addresses[each], counts[each], gradients)
            self._remember(present, addresses, missing)
            if missing:
                self.steps[np.setdiff1d(np.arange(len(counts)), missing)] += 1
            else:
                self.steps += 1
        return None if verdict is None else verdict[0]

    def _usable(self, grads: Sequence[Any]) -> tuple[Sequence[Any], list[int], list[int]]:
        """The present gradients as arrays, the addresses of all, and the indices of missing ones.

        They are checked unless they are the same objects as in the last step.
        """
        missing = [i for i, grad in enumerate(grads) if grad is None]
        present = [grad for grad in grads if grad is not None] if missing else grads
        known = None if self._known is None or missing != self._missing else [reference() for reference in self._known]
        if known is not None and all(map(operator.is_, known, present)) and len(known) == len(present):
            self._expect_unmoved()
            return present, self._addresses, missing
        where = [i for i, grad in enumerate(grads) if grad is not None] if missing else range(len(grads))
        if set(map(type, present)) - {self._array_type}:
            present = [arrays.view(grad, (GRAD, i), False) for i, grad in zip(where, present, strict=True)]
        self._expect_unmoved()  # after all exports, which may run any code
        found = [*map(_ADDRESS, present)]
        layouts = [self._layouts[i] for i in where] if missing else self._layouts
        # For speed: gradients laid out like their parameters need no further check.
        if [*map(_layout, present)] != layouts or any(map((3).__and__, found)):
            for i, grad in zip(where, present, strict=True):
                arrays.expect_usable(grad, (GRAD, i), self._layouts[i][1], self.device)
        addresses = [0] * len(grads)
        for i, address in zip(where, found, strict=True):
            addresses[i] = address or NO_ELEMENTS
        if addresses != self._addresses:
            self._memory.expect_apart(addresses, self._sizes)
        return present, addresses, missing

    def _expect_unmoved(self) -> None:
        """Raise Refused if an array of another library has other memory than when it was taken over."""
        for borrowed in self._borrowed:
            borrowed.expect_unmoved()

    def _remember(self, present: Sequence[Any], addresses: list[int], missing: list[int]) -> None:
        if addresses is not self._addresses:
            self._addresses, self._missing = addresses, missing
            self._known = [weakref.ref(grad) for grad in present]


def address_of(verdict: Any) -> int:
    return 0 if verdict is None else int(verdict.data.ptr)
