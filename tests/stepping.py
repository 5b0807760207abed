"""Groups of tensors, a step of the CPU backend, the same step by the combined references, and their comparison."""

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from buffers import Guarded, assert_same_bits, random_inputs

from fastadam import reference
from fastadam._native import StepOptions
from fastadam.backends import cpu

PLAIN = StepOptions()


@functools.cache
def rule_of(variant, ema_decay):
    return variant.make(np.zeros(1, variant.dtype), ema_decay=ema_decay)._groups[0].hyperparameters.rule


@dataclass
class Tensor:
    """The arrays of a tensor's step: parameter, gradient (or None), states, and the average if its group keeps one."""

    arrays: list
    count: int = 0  # steps taken

    def copy(self):
        return replace(self, arrays=[None if array is None else array.copy() for array in self.arrays])


@dataclass
class Group:
    """Tensors that are stepped by one rule."""

    variant: Any
    tensors: list
    ema_decay: float | None = None

    @classmethod
    def random(cls, variant, sizes, ema_decay=None, special=0.0, seed=0):
        """The parameters, gradients and states of steps 2, 1000, 3, 3, ..."""
        states = variant.states + (ema_decay is not None)
        counts = [1, 999, *[2] * len(sizes)]
        inputs = [random_inputs(size, states, seed + i, special, variant.dtype) for i, size in enumerate(sizes)]
        tensors = [Tensor(arrays, counts[i]) for i, arrays in enumerate(inputs)]
        return cls(variant, tensors, ema_decay)

    def copy(self):
        return replace(self, tensors=[tensor.copy() for tensor in self.tensors])


def all_tensors(groups):
    return [tensor for group in groups for tensor in group.tensors]


def step(groups, options=PLAIN, threads=1):
    """One step of the CPU backend, in place. Returns the norm and how many steps it skipped."""
    tensors = all_tensors(groups)
    params, grads = [tensor.arrays[0] for tensor in tensors], [tensor.arrays[1] for tensor in tensors]
    states, sizes = [tensor.arrays[2:] for tensor in tensors], [len(group.tensors) for group in groups]
    rules = [rule_of(group.variant, group.ema_decay) for group in groups]
    native = cpu.tensors(params, states, sizes, rules, [tensor.count for tensor in tensors])
    norm = native.step(grads, options, threads)
    for tensor, count in zip(tensors, native.steps.tolist(), strict=True):
        tensor.count = count
    return norm, int(native.skips[0])


def reference_step(groups, options=PLAIN):
    """The same by the references."""
    present = [tensor for tensor in all_tensors(groups) if tensor.arrays[1] is not None]
    norm, scale = None, options.grad_scale
    if options.finds_norm:
        with np.errstate(all="ignore"):
            given = options.norm if options.knows_norm else reference.global_norm([tensor.arrays[1] for tensor in present])
            norm = float(np.float64(abs(scale)) * given)
        if options.skip_nonfinite and not math.isfinite(given):
            return norm, 1
        scale = reference.clipping_scale(norm, scale, options.max_norm)
    for group in groups:
        for tensor in group.tensors:
            param, grad, *states = tensor.arrays
            if grad is None:
                continue
            tensor.count += 1
            average = [] if group.ema_decay is None else [states.pop()]
            grad = reference.transform_gradient(grad, scale, options.clip_value)
            group.variant.reference(param, grad, *states, step=tensor.count)
            for ema in average:
                reference.average_step(ema, param, step=tensor.count, ema_decay=group.ema_decay)
    return norm, 0


def assert_same(actual, expected, context=""):
    """Equal bits of every array, and equal counts."""
    for i, (a, e) in enumerate(zip(all_tensors(actual), all_tensors(expected), strict=True)):
        assert a.count == e.count, (i, context)
        for role, (array, wanted) in enumerate(zip(a.arrays, e.arrays, strict=True)):
            if wanted is not None:
                assert_same_bits(array, wanted, f"in array {role} of tensor {i} {context}")


def assert_parity(groups, options=PLAIN, threads=(1, 3), offset=0):
    expected = [group.copy() for group in groups]
    outcome = reference_step(expected, options)
    for count in threads:
        actual = [group.copy() for group in groups]
        guards = []
        for k, tensor in enumerate(all_tensors(actual)):
            guards.append(Guarded([array for array in tensor.arrays if array is not None], offset + 3 * k))
            views = iter(guards[-1].arrays)
            tensor.arrays = [None if array is None else next(views) for array in tensor.arrays]
        np.testing.assert_equal(step(actual, options, count), outcome)
        context = f"with {options} on {count} threads"
        assert_same(actual, expected, context)
        for guarded in guards:
            guarded.assert_guards_untouched()
    return expected
