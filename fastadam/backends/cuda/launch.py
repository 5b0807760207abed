"""Kernel launches, their arguments, and tables in the device's memory.

A kernel has one argument, a struct of csrc/cuda/arguments.hpp. Tables that outlive a launch are in the device's memory. A
kernel writes them, so that the host never waits and a graph can capture the write.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastadam import _native
from fastadam.at_once import Call, at_once
from fastadam.backends.cuda.cupy_runtime import Kernel, gpu
from fastadam.backends.cuda.source import SHAPE
from fastadam.backends.dtypes import DTYPES, DType
from fastadam.lazy import computed_once

# A dtype for each struct, for each type of elements. Those that have nothing but addresses and counts are the same for all.
STRUCTS = {dtype: _native.cuda_structs(dtype) for dtype in DTYPES}
TABLES = STRUCTS["float32"]
CONSTANTS = _native.cuda_constants()
MOST_WORDS = CONSTANTS["most_words"]  # of eight bytes, that one launch can write
MOST_BLOCKS = 2**31 - 1


class Argument:
    """A kernel's only argument: a struct, whose members are set by name."""

    def __init__(self, struct: str, elements: DType = "float32", **members: Any) -> None:
        dtype = STRUCTS[elements][struct]
        self.bytes = np.zeros((), f"V{dtype.itemsize}")
        self._fields = self.bytes.reshape(1).view(dtype).reshape(())
        self._buffer = self.bytes.reshape(1).view(np.uint8).data
        self._places: Any = dtype.fields  # of each member, its type and offset
        for name, value in members.items():
            self.set(name, value)

    @computed_once
    def by_value(self) -> Any:
        """What a kernel is called with."""
        return gpu().argument(self.bytes)

    def set(self, name: str, value: Any) -> None:
        """Set a member to a number or another struct's values, or set its first bytes."""
        if isinstance(value, bytes):
            start = self._places[name][1]
            self._buffer[start : start + len(value)] = value
        else:
            self._fields[name] = value

    def view(self, *path: str) -> Any:
        """A writable view of a member (of a member ...): a 0-d array for a number, the bytes of a struct."""
        view: Any = self._fields
        for name in path:
            view = view[name]
        return view if view.dtype.fields is None else view.reshape(1).view(np.uint8)


def records(tensors: Sequence[tuple[Sequence[int], int]]) -> Any:
    """The struct Tensor of each, from the addresses of the parameter and its states and the number of elements."""
    made = np.zeros(len(tensors), TABLES["Tensor"])
    for record, ((param, *states), size) in zip(made, tensors, strict=True):
        record["param"], record["size"] = param, size
        record["state"][: len(states)] = states
    return made


def launches(kernel: Kernel, blocks: int, argument: Argument) -> list[Call]:
    """The call that launches `kernel` on the current stream, and reads the argument then.

    Any number of blocks does all of the work; 0 blocks are not launched.
    """
    return [(kernel, (min(blocks, MOST_BLOCKS),), (SHAPE.block,), (argument.by_value,))] if blocks else []


def writes(kernel: Kernel, destination: Any, values: Any) -> list[Call]:
    """Calls that write 64-bit numbers to an array on the device, in the order of the current stream."""
    words = np.asarray(values, destination.dtype).view(np.int64)
    calls = []
    for start in range(0, len(words), MOST_WORDS):
        some = words[start : start + MOST_WORDS]
        argument = Argument("WriteArguments", destination=destination.data.ptr + 8 * start, count=len(some))
        argument.view("words")[: len(some)] = some
        calls += launches(kernel, 1, argument)
    return calls


class Table:
    """64-bit numbers in the device's memory, which are written only when they change."""

    def __init__(self, size: int, dtype: Any = np.int64) -> None:
        self._array = gpu().empty(size, dtype)
        self.address = int(self._array.data.ptr)
        self._contents: Sequence[Any] | None = None  # None: not known

    def has(self, values: Sequence[Any]) -> bool:
        """Whether these are in the table."""
        return self._contents == values

    def sets(self, values: Sequence[Any], kernel: Kernel) -> list[Call]:
        """Calls that write `values`, by the kernel `write`, unless they are there."""
        if self._contents == values:
            return []
        note = vars(self).__setitem__
        # Not known until all is written: a launch may fail.
        return [(note, "_contents", None), *writes(kernel, self._array, values), (note, "_contents", values)]

    def set(self, values: Sequence[Any], kernel: Kernel) -> None:
        """Write `values` now."""
        at_once(self.sets(values, kernel))


class Tables:
    """A list of tensors in the device's memory: the struct List."""

    def __init__(self, tensors: Any) -> None:
        """`tensors` is made by :func:`records`."""
        counts = -(-tensors["size"] // SHAPE.chunk)
        chunks = np.zeros(counts.sum(), TABLES["Chunk"])
        chunks["tensor"] = np.repeat(np.arange(len(tensors)), counts)
        chunks["index"] = np.arange(len(chunks)) - np.repeat(np.cumsum(counts) - counts, counts)
        self._tensors, self._chunks = (gpu().copy(table.view(np.uint8)) for table in (tensors, chunks))
        self._count, self.blocks = len(tensors), len(chunks)
        self.grads = Table(self._count)  # their addresses; a tensor whose address is 0 is not stepped

    @property
    def list(self) -> tuple[int, int, int, int]:
        """The members of the struct."""
        return int(self._tensors.data.ptr), self.grads.address, int(self._chunks.data.ptr), self.blocks

    def with_own_grads(self) -> "Tables":
        """The same tensors with another table of gradients."""
        other = object.__new__(Tables)
        other.__dict__.update(self.__dict__, grads=Table(self._count))
        return other
