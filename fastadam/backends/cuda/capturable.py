"""Lists of tensors whose steps a CUDA graph can capture and replay."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastadam import _native
from fastadam._native import Rule, StepOptions
from fastadam.at_once import Call
from fastadam.backends.cuda import kernels
from fastadam.backends.cuda.cupy_runtime import gpu
from fastadam.backends.cuda.device_norm import Norm, address_of, new_verdict
from fastadam.backends.cuda.group_steps import CapturableGroupSteps, slices_of
from fastadam.backends.cuda.kernels import Kernels
from fastadam.backends.cuda.launch import records
from fastadam.backends.cuda.tensors import Tensors


class CapturableTensors(Tensors):
    """Tensors whose step counts and coefficients are on the device, so that a CUDA graph can repeat a step."""

    def _prepare(
        self, addresses: list[list[int]], group_sizes: Sequence[int], rules: Sequence[Rule], steps: Sequence[int]
    ) -> None:
        tensors, self._slices = records(list(zip(addresses, self._sizes, strict=True))), slices_of(group_sizes)
        pairs = zip(self._slices, rules, strict=True)
        self._groups = [CapturableGroupSteps(tensors[each], rule, self.dtype) for each, rule in pairs]
        kernels.of_norms(self.dtype, self.device)  # compiled as early as the other kernels
        self.steps = gpu().copy(np.array(steps, np.int64))
        self.skips = gpu().full(1, 0, np.int64)
        self._verdict = new_verdict(self.dtype)
        self._norm = Norm(self._sizes, self.dtype)
        self._spare_norm: Norm | None = Norm(self._sizes, self.dtype)
        self._captured_norms: list[Norm] = []  # kept alive: graphs hold their addresses
        self._captured: list[set[tuple[int, bool]]] = [set() for _ in self._groups]  # what graphs have fixed of the rules

    @property
    def is_captured(self) -> bool:
        """See :attr:`Tensors.is_captured`."""
        return any(self._captured)

    def rule_calls(self, rules: Sequence[Rule]) -> list[Call]:
        """Like :meth:`Tensors.rule_calls`, and write their options to the device, where captured steps read them."""
        for captured, rule in zip(self._captured, rules, strict=True):
            if captured - {_fixed(rule)}:
                raise ValueError(
                    "a CUDA graph was captured with other hyperparameters than these, and cannot change which terms a step has "
                    "(maximize, or whether there is weight decay); set them before the capture, or make a new optimizer"
                )
        compiled = self._compiled(rules)  # which cannot be loaded while a graph is captured
        changed = [each for each in zip(self._groups, rules, compiled, strict=True) if each[0].differs_from(each[1])]
        if changed and gpu().is_capturing():
            raise RuntimeError(
                "a hyperparameter changes while a CUDA graph is captured, which would set it again in each replay; set it "
                "before the capture or between replays, and not by a schedule"
            )
        writes = [call for group, rule, some in changed for call in group.set_options(rule, some.write)]
        return [*writes, *super().rule_calls(rules)]

    def _step(
        self, grads: Sequence[Any], options: StepOptions, rules: Sequence[Rule], compiled: list[Kernels]
    ) -> tuple[list[Call], Any]:
        """Like :meth:`Tensors._step`, with counts on the device. Its launches can be captured and replayed.

        The norm that it returns is overwritten by the next step that computes one.
        """
        usable = self._gradients.usable(grads)
        compiled = compiled or self._compiled(rules)
        capturing, verdict, calls = gpu().is_capturing(), None, []
        if options.finds_norm:
            verdict = self._verdict
            calls += self._norm_of(capturing).find(usable.addresses, options, address_of(verdict), self.skips.data.ptr)
        for i, (group, each, rule) in enumerate(zip(self._groups, self._slices, rules, strict=True)):
            gradients = _native.cuda_gradients(options, rule, address_of(verdict))
            some = usable.addresses[each]
            calls += group.step(compiled[i], some, self.steps[each], gradients, address_of(verdict), capturing)
            if capturing:
                self._captured[i].add(_fixed(rule))
        calls.append((setattr, self, "_kernels", compiled))
        return calls, None if verdict is None else verdict[0]

    def _norm_of(self, capturing: bool) -> Norm:
        """The Norm to use. A graph that is being captured gets its own, made while memory could be allocated."""
        if not capturing:
            self._spare_norm = self._spare_norm or Norm(self._sizes, self.dtype)
            return self._norm
        norm, self._spare_norm = self._spare_norm or Norm(self._sizes, self.dtype), None
        self._captured_norms.append(norm)
        return norm


def _fixed(rule: Rule) -> tuple[int, bool]:
    """What a graph fixes of a rule: which kernel it launches, and the sign of the gradients."""
    return rule.flags, rule.maximize
