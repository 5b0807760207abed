"""What the tests of the CUDA kernels share: the compiled kernels of a variant, and the arguments of their launches."""

import functools

import numpy as np

from fastadam import _native
from fastadam._native import StepOptions
from fastadam.backends.cuda import source
from fastadam.backends.cuda.kernels import Kernels
from fastadam.backends.cuda.launch import TABLES, Argument, records
from fastadam.backends.cuda.source import Shape

SMALL = Shape(block=32, vectors=2, chunk=512)  # many chunks, and two rounds in each
DEFAULT = Shape()
AS_GIVEN = StepOptions()
NAMES = tuple(f"fastadam_{name}" for name in Kernels._fields)


@functools.cache
def kernels(key, shape=SMALL, flags=(), text=None):
    """The kernels as the CPU runs them."""
    from cuda_host import compile_for_host

    return Kernels(*compile_for_host(text or source.text(), source.options(*key, shape=shape), NAMES, flags))


def addresses(arrays):
    """The address of each, as a kernel's argument has it."""
    return [array.ctypes.data for array in arrays]


def tensors(members):
    """The struct Tensor of each list of a parameter, a gradient and states."""
    made = records([(addresses([param, *states]), param.size) for param, _, *states in members])
    made["grad"] = addresses([grad for _, grad, *_ in members])
    return made


def gradients(variant):
    """The struct Gradients of a step that takes gradients as they are."""
    return _native.cuda_gradients(AS_GIVEN, variant.rule, 0)


def step_argument(variant, arrays, step):
    coefficients = _native.cuda_coefficients(variant.rule, step)
    members = {"tensor": tensors([arrays])[0], "gradients": gradients(variant), "coefficients": coefficients}
    return Argument("StepArguments", variant.dtype, **members)


def list_argument(variant, table, step):
    coefficients = _native.cuda_coefficients(variant.rule, step)
    members = {"list": table.list, "gradients": gradients(variant), "coefficients": coefficients}
    return Argument("StepListArguments", variant.dtype, **members)


def capturable_argument(variant, table, coefficients):
    """`coefficients` is the array that they lie in."""
    (address,) = addresses([coefficients])
    members = {"list": table.list, "gradients": gradients(variant), "coefficients": address}
    return Argument("StepCapturableArguments", variant.dtype, **members)


def advance_argument(variant, grads, steps, coefficients, count):
    """Also the array of the options, which is to be kept."""
    options = np.array([*variant.rule.options, variant.rule.ema_decay or 0.0])
    names, arrays = ("grads", "options", "steps", "coefficients"), (grads, options, steps, coefficients)
    members = dict(zip(names, addresses(arrays), strict=True))
    return Argument("AdvanceArguments", variant.dtype, count=count, **members), options


class List:
    """The struct List over tables in NumPy's memory, laid out as fastadam.backends.cuda.launch.Tables does on a device.

    `skipped` are the places of tensors that are to be left alone.
    """

    def __init__(self, members, shape, skipped=()):
        self.tensors = tensors(members)
        self.grads = np.where(np.isin(np.arange(len(members)), skipped), 0, self.tensors["grad"])
        self.tensors["grad"] = 0
        chunks = [(i, c) for i, size in enumerate(self.tensors["size"].tolist()) for c in range(-(-size // shape.chunk))]
        self.chunks = np.array(chunks, TABLES["Chunk"])

    @property
    def list(self):
        return (*addresses([self.tensors, self.grads, self.chunks]), len(self.chunks))
