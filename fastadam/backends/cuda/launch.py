"""Launches and what they need: the argument of a kernel, and tables in the device's memory.

What a launch needs travels as one argument, a struct of csrc/cuda whose bytes are laid out here. Tables that outlive a
launch are in the device's memory and written there by a kernel, so that the host never waits and a graph can capture it.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastadam import _native
from fastadam.backends.cuda.gpu import Kernel, gpu
from fastadam.backends.cuda.source import SHAPE, WORDS
from fastadam.backends.protocol import GradientOptions

AVERAGE_BYTES = 8  # the struct ParamAverage
COEFFICIENT_BYTES = AVERAGE_BYTES + 64  # room for the coefficients of a step of any rule
MOST_BLOCKS = 2**31 - 1


class Gradients(NamedTuple):
    """The struct of that name in csrc/cuda/step.cu."""

    verdict: int  # its address; 0: none
    transform: int  # two float32 in a word

    @classmethod
    def of(cls, options: GradientOptions, verdict: Any) -> "Gradients":
        """`verdict` is an array on the device, or None."""
        return cls(0 if verdict is None else verdict.data.ptr, _transform(options.grad_scale, options.clip_value))


@functools.lru_cache(maxsize=16)
def _transform(scale: float, limit: float) -> int:
    with np.errstate(over="ignore"):
        return int(np.array([scale, limit]).astype(np.float32).view(np.int64)[0])


def coefficients(rule: _native.Rule, step: int) -> bytes:
    """The struct StepCoefficients."""
    return rule.average(step).ljust(AVERAGE_BYTES, b"\0") + rule.coefficients(step)


class Argument:
    """The bytes of a kernel's only argument: integers of 64 bits and then, for some kernels, the coefficients of a step."""

    def __init__(self, integers: Sequence[int], coefficients: int = 0) -> None:
        self.struct = np.zeros((), f"V{8 * len(integers) + coefficients}")  # CuPy passes it by value
        self._bytes = self.struct.reshape(1).view(np.uint8)
        self.integers = self._bytes[: 8 * len(integers)].view(np.int64)
        self.integers[:] = integers
        self._coefficients = self._bytes.data[8 * len(integers) :]

    def set_coefficients(self, coefficients: bytes) -> None:
        self._coefficients[: len(coefficients)] = coefficients


def launch(kernel: Kernel, blocks: int, argument: Argument) -> None:
    """Runs `kernel` on the current stream; any number of blocks does all the work, and none is no launch."""
    if blocks:
        kernel((min(blocks, MOST_BLOCKS),), (SHAPE.block,), (argument.struct,))


def write(kernel: Kernel, destination: Any, values: Sequence[float]) -> None:
    """Writes numbers of 64 bits into an array on the device, in the order of the current stream."""
    words = np.asarray(values, destination.dtype).view(np.int64)
    for start in range(0, len(words), WORDS):
        some = words[start : start + WORDS]
        argument = Argument([destination.data.ptr + 8 * start, len(some), *[0] * WORDS])
        argument.integers[2 : 2 + len(some)] = some
        launch(kernel, 1, argument)


class Tables:
    """A list of tensors in the device's memory: the struct List of csrc/cuda/step.cu."""

    def __init__(self, tensors: Sequence[Sequence[int]]) -> None:
        """`tensors` are the members of the struct Tensor, the last of which is the size."""
        chunks = [-(-tensor[-1] // SHAPE.chunk) for tensor in tensors]
        starts = np.cumsum([0, *chunks])
        owner = np.repeat(np.arange(len(tensors)), chunks)
        self._tensors = gpu().copy(np.array(tensors, np.int64))
        self._chunks = gpu().copy(np.stack([owner, np.arange(starts[-1]) - starts[owner]], axis=1).astype(np.int32))
        self._grads = gpu().empty(len(tensors), np.int64)
        self._written: Sequence[int] = ()
        self.blocks = int(starts[-1])

    @property
    def integers(self) -> list[int]:
        """The members of the struct."""
        return [self._tensors.data.ptr, self.grads, self._chunks.data.ptr, self.blocks]

    @property
    def grads(self) -> int:
        """The address of the gradients' table."""
        return int(self._grads.data.ptr)

    def set_grads(self, addresses: Sequence[int], kernel: Kernel) -> None:
        """Puts the gradients' addresses into their table, unless they are there. 0 leaves a tensor alone."""
        if addresses != self._written:
            write(kernel, self._grads, addresses)
            self._written = addresses

    def with_own_grads(self) -> "Tables":
        """The same tensors with another table of gradients."""
        other = object.__new__(Tables)
        other.__dict__.update(self.__dict__, _grads=gpu().empty(self._grads.shape, np.int64), _written=())
        return other
