"""The global norm of gradients on one GPU, found by one launch that leaves it there."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastadam.backends.cuda import arrays, kernels
from fastadam.backends.cuda.gpu import gpu
from fastadam.backends.cuda.launch import Argument, launch, write
from fastadam.backends.cuda.source import SHAPE
from fastadam.backends.protocol import GradientOptions
from fastadam.backends.roles import GRAD

CHUNK, LANES = 2048, 32  # norm_chunk and norm_lanes of csrc/rules/norm.hpp
TEAMS = SHAPE.block // LANES  # of a block; each takes a chunk at a time


class Norm:
    """What a device needs to find the norm of gradients of the same sizes again and again."""

    def __init__(self, sizes: Sequence[int]) -> None:
        """On the current device."""
        self._sizes = sizes
        room = len(sizes) or 1
        chunks = sum(map(_chunks, sizes))
        self._grads, self._extents = gpu().empty(room, np.int64), gpu().empty(2 * room, np.int64)
        self._sums = gpu().empty(chunks + chunks // 1024 + 8, np.float64)  # of the chunks, of chunks of those, ...
        self._finished = gpu().full(1, 0, np.int64)
        self._present: list[int] = []  # the gradients that the tables are about
        self._written: list[int] = []  # their addresses
        self._chunk_count = 0

    def find(self, addresses: Sequence[int], options: GradientOptions, verdict: Any, skips: int = 0) -> None:
        """Leaves the struct NormVerdict of csrc/rules/norm.hpp in `verdict`, two float64, the first of which is the norm.

        0 is the address of a gradient that is missing. If the step is to be skipped, the count at address `skips` goes up.
        """
        compiled = kernels.of_norms(gpu().current())
        present = [i for i, (address, size) in enumerate(zip(addresses, self._sizes, strict=True)) if address and size]
        if present != self._present:
            sizes = np.array([self._sizes[i] for i in present], np.int64)
            counts = _chunks(sizes)
            starts = np.cumsum(counts) - counts
            self._chunk_count, self._present = int(counts.sum()), present
            write(compiled.write, self._extents, np.stack([sizes, starts], axis=1).reshape(-1).tolist())
        some = [addresses[i] for i in present]
        if some != self._written:
            write(compiled.write, self._grads, some)
            self._written = some
        max_norm = math.inf if options.max_norm is None else options.max_norm
        scale, most = np.array([options.grad_scale, max_norm]).view(np.int64).tolist()
        tables = [self._grads.data.ptr, self._extents.data.ptr, len(present), self._chunk_count]
        scratch = [self._sums.data.ptr, self._finished.data.ptr]
        rest = [scale, most, int(options.skip_nonfinite), verdict.data.ptr, skips]
        launch(compiled.norm, -(-self._chunk_count // TEAMS) or 1, Argument([*tables, *scratch, *rest]))


def global_norm(grads: Sequence[Any], threads: int) -> Any:
    """See :class:`fastadam.backends.protocol.Backend`."""
    views = [arrays.view(grad, (GRAD, i), False) if grad is not None else None for i, grad in enumerate(grads)]
    present = [(i, view) for i, view in enumerate(views) if view is not None]
    device = present[0][1].data.device_id
    for i, view in present:
        arrays.expect_usable(view, (GRAD, i), view.shape, device)
    with gpu().on(device):
        verdict = gpu().empty(2, np.float64)
        Norm([view.size for _, view in present]).find([view.data.ptr for _, view in present], GradientOptions(), verdict)
    return verdict[0]


def _chunks(size: Any) -> Any:
    return -(-size // CHUNK)
