"""What the tests of the CUDA kernels share: every variant of every rule beside its reference, and a launch's argument.

A new rule adds its variants to VARIANTS, as `adam` does.
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np

import fastadam
from fastadam import _native
from fastadam.adam import AdamOptions
from fastadam.cuda import source
from fastadam.cuda.kernels import Kernels
from fastadam.cuda.launch import COEFFICIENT_BYTES, Argument
from fastadam.cuda.source import Shape

SMALL = Shape(block=32, vectors=2, chunk=512)  # many chunks, and two rounds in each
DEFAULT = Shape()
MAX_STATES = 3
NAMES = tuple(f"fastadam_{name}" for name in Kernels._fields)


class Variant(NamedTuple):
    """A rule with its hyperparameters, which the kernels take, and the reference, called with arrays and a step."""

    rule: _native.Rule
    reference: functools.partial

    @property
    def key(self):
        """What a kernel is compiled for."""
        return self.rule.type_name, self.rule.flags

    @property
    def arrays(self):
        """How many a step takes."""
        return 2 + self.rule.state_count


def adam(amsgrad=False, **changed):
    options = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "maximize": False}
    options |= {"decoupled_weight_decay": False} | changed
    return Variant(AdamOptions(amsgrad=amsgrad, **options).rule, functools.partial(fastadam.reference.adam_step, **options))


DECAYS = [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}]
VARIANTS = [
    adam(amsgrad, maximize=maximize, **decay)
    for amsgrad, maximize, decay in itertools.product([False, True], [False, True], DECAYS)
]


def describe(variant):
    return "-".join([*map(str, variant.key), *(name for name, value in variant.reference.keywords.items() if value is True)])


@functools.cache
def kernels(key, shape=SMALL, flags=(), text=None):
    """The kernels as the CPU runs them."""
    from cuda_host import compile_for_host

    return Kernels(*compile_for_host(text or source.text(), source.options(*key, shape), NAMES, flags))


def record(arrays):
    """The members of the struct Tensor, for a parameter, a gradient and states."""
    param, grad, *states = (array.ctypes.data for array in arrays)
    return [param, grad, *states, *[0] * (MAX_STATES - len(states)), arrays[0].size]


def step_argument(variant, arrays, step):
    argument = Argument(record(arrays), COEFFICIENT_BYTES)
    argument.set_coefficients(variant.rule.coefficients(step))
    return argument.struct


class List:
    """The struct List over tables in NumPy's memory, laid out as fastadam.cuda.launch.Tables does on a device.

    `skipped` are the places of tensors that are to be left alone.
    """

    def __init__(self, tensors, shape, skipped=()):
        records = [record(arrays) for arrays in tensors]
        chunks = [(i, c) for i, (*_, size) in enumerate(records) for c in range(-(-size // shape.chunk))]
        self.grads = np.array([0 if i in skipped else grad for i, (_, grad, *_) in enumerate(records)], np.int64)
        self.tensors = np.array([[param, 0, *rest] for param, _, *rest in records], np.int64)
        self.chunks = np.array(chunks, np.int32).reshape(-1, 2)

    @property
    def integers(self):
        return [self.tensors.ctypes.data, self.grads.ctypes.data, self.chunks.ctypes.data, len(self.chunks)]
