"""What the tests of the CUDA kernels share: the compiled kernels of a variant, and the arguments of their launches."""

import functools

import numpy as np

from fastadam.backends.cuda import source
from fastadam.backends.cuda.kernels import Kernels
from fastadam.backends.cuda.launch import COEFFICIENT_BYTES, Argument, Gradients, coefficients
from fastadam.backends.cuda.source import Shape
from fastadam.backends.protocol import GradientOptions

SMALL = Shape(block=32, vectors=2, chunk=512)  # many chunks, and two rounds in each
DEFAULT = Shape()
MAX_STATES = 4
AS_GIVEN = Gradients.of(GradientOptions(), None)
NAMES = tuple(f"fastadam_{name}" for name in Kernels._fields)


@functools.cache
def kernels(key, shape=SMALL, flags=(), text=None):
    """The kernels as the CPU runs them."""
    from cuda_host import compile_for_host

    return Kernels(*compile_for_host(text or source.text(), source.options(*key, shape=shape), NAMES, flags))


def record(arrays):
    """The members of the struct Tensor, for a parameter, a gradient and states."""
    param, grad, *states = (array.ctypes.data for array in arrays)
    return [param, grad, *states, *[0] * (MAX_STATES - len(states)), arrays[0].size]


def step_argument(variant, arrays, step):
    return argument_of(variant, [*record(arrays), *AS_GIVEN], step)


def list_argument(variant, table, step):
    return argument_of(variant, [*table.integers, *AS_GIVEN], step)


def argument_of(variant, integers, step):
    argument = Argument(integers, COEFFICIENT_BYTES)
    argument.set_coefficients(coefficients(variant.rule, step))
    return argument.struct


class List:
    """The struct List over tables in NumPy's memory, laid out as fastadam.backends.cuda.launch.Tables does on a device.

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
