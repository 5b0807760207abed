"""The global norm of gradients on a GPU, computed by one launch (two for float64). The result stays on the GPU."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastadam._native import StepOptions
from fastadam.at_once import Call, at_once
from fastadam.backends.cuda import arrays, kernels
from fastadam.backends.cuda.cupy_runtime import gpu
from fastadam.backends.cuda.launch import CONSTANTS, STRUCTS, TABLES, Argument, Table, launches, writes
from fastadam.backends.cuda.source import SHAPE
from fastadam.backends.dtypes import DType, dtype_of
from fastadam.backends.roles import GRAD

CHUNK = CONSTANTS["norm_chunk"]
# The size of the verdict in float64 numbers, of which the first is the norm.
VERDICT = {dtype: structs["NormVerdict"].itemsize // 8 for dtype, structs in STRUCTS.items()}
TEAMS = SHAPE.block // CONSTANTS["norm_lanes"]  # per block; each processes one chunk at a time


class Norm:
    """Computes the norm of gradients whose sizes are always the same, on one device."""

    def __init__(self, sizes: Sequence[int], dtype: DType) -> None:
        """Allocate the tables on the current device."""
        self._sizes, self._dtype = sizes, dtype
        capacity = len(sizes) or 1
        self._grads = Table(capacity)
        self._extents = gpu().empty(capacity * TABLES["Extent"].itemsize // 8, np.int64)
        self._sums = gpu().empty(room_for_sums(sum(map(_chunks, sizes))), np.float64)
        self._progress = gpu().full(TABLES["NormProgress"].itemsize // 8, 0, np.int64)
        self._argument = Argument(
            "NormArguments",
            dtype,
            grads=self._grads.address,
            extents=self._extents.data.ptr,
            sums=self._sums.data.ptr,
            progress=self._progress.data.ptr,
        )
        self._present: list[int] | None = []  # the gradients in the tables; None: not known
        self._chunk_count = 0

    def find(self, addresses: Sequence[int], options: StepOptions, verdict: int, skips: int = 0) -> list[Call]:
        """The launches that write the struct NormVerdict to the address `verdict`.

        The address of a missing gradient is 0. If the step is to be skipped, the count at address `skips` is increased.
        """
        compiled = kernels.of_norms(self._dtype, gpu().current())
        read = [] if options.knows_norm else zip(addresses, self._sizes, strict=True)
        present = [i for i, (address, size) in enumerate(read) if address and size]
        if present != self._present:
            self._present = None  # until all is written: a launch may fail
            extents = np.zeros(len(present), TABLES["Extent"])
            extents["size"] = [self._sizes[i] for i in present]
            counts = _chunks(extents["size"])
            extents["first_chunk"] = np.cumsum(counts) - counts
            at_once(writes(compiled.write, self._extents, extents.view(np.int64)))
            self._chunk_count = int(counts.sum())
            self._argument.set("count", len(present))
            self._argument.set("chunk_count", self._chunk_count)
            self._present = present
        self._grads.set([addresses[i] for i in present], compiled.write)
        self._argument.set("options", bytes(options))
        self._argument.set("verdict", verdict)
        self._argument.set("skips", skips)
        both = [compiled.norm, compiled.norm_scaled] if compiled.norm_scaled else [compiled.norm]
        return [call for kernel in both for call in launches(kernel, -(-self._chunk_count // TEAMS) or 1, self._argument)]


def new_verdict(dtype: DType) -> Any:
    """Memory for the struct NormVerdict on the current device: a float64 array, whose first element is the norm."""
    return gpu().empty(VERDICT[dtype], np.float64)


def address_of(verdict: Any) -> int:
    """The address of what :func:`new_verdict` made; 0 for None."""
    return 0 if verdict is None else int(verdict.data.ptr)


def global_norm(grads: Sequence[Any], threads: int) -> Any:
    """See :class:`fastadam.backends.protocol.Backend`."""
    views = [arrays.taken_over(grad, (GRAD, i), False) if grad is not None else None for i, grad in enumerate(grads)]
    present = [(i, view) for i, view in enumerate(views) if view is not None]
    device = present[0][1].data.device_id
    for i, view in present:
        arrays.expect_usable(view, (GRAD, i), view, present[0][1])
    dtype = dtype_of(present[0][1])
    with gpu().on(device):
        verdict = new_verdict(dtype)
        norm, addresses = (
            Norm([arrays.number_count(view) for _, view in present], dtype),
            [view.data.ptr for _, view in present],
        )
        at_once(norm.find(addresses, StepOptions(max_norm=math.inf), address_of(verdict)))
    return verdict[0]


def room_for_sums(chunks: int) -> int:
    """How many sums the kernel stores: of so many chunks, of chunks of those, and so on up to one."""
    room = chunks
    while chunks > 1:
        chunks = _chunks(chunks)
        room += chunks
    return room or 1


def _chunks(size: Any) -> Any:
    return -(-size // CHUNK)
