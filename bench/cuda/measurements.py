"""A run of bench/cuda: every case with all contenders, and kernels of different shapes."""

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import cupy
from buffers import Buffers
from cases import GPT2_SMALL, GPT2_SUBSET, GPU_SIZES, SMALL_TENSORS, ZEROS, Case, one_buffer, select
from clock import HostTime, OnGpu
from gpu_contenders import (
    Copy,
    CupyElementwise,
    FastadamOnGpu,
    OptaxOnGpu,
    ThincOnGpu,
    TorchForeachOnGpu,
    TorchFusedOnGpu,
)
from gpu_machine import describe
from measure import measure, set_up
from results import Results
from shapes import SHAPES, SHORT_SHAPES
from variants import FastMath, MemoryWall, in_shape

# In the order of the tables' columns.
CONTENDERS: list[type[OnGpu]] = [Copy, MemoryWall, FastadamOnGpu, FastMath, TorchFusedOnGpu, TorchForeachOnGpu, OptaxOnGpu]
CONTENDERS += [CupyElementwise, ThincOnGpu]

# The host's time depends on the number of tensors and not on their sizes.
HOST_CASES = [one_buffer(1_000), SMALL_TENSORS, GPT2_SMALL]
SHAPE_CASES = [one_buffer(1_000_000), one_buffer(6_000_000), one_buffer(2**26), GPT2_SMALL]


@dataclass(frozen=True)
class GpuResults(Results):
    shapes: list[dict[str, Any]] = field(default_factory=list)  # rows of fastadam's kernels in other shapes, and of the copy


def run(sizes: Sequence[int] | None, short: bool, budget: float, progress: Callable[[str], None]) -> Iterator[GpuResults]:
    """Measure everything; without a budget, one sample of each. After each case, all results so far."""
    results = GpuResults(describe(), [], {}, [])
    cases = [case for case in select(sizes, short, GPU_SIZES) if not case.product]  # which is a product on the CPU
    for case in cases if sizes or short else [*cases, ZEROS]:
        progress(case.name)
        results.rows.extend(rows_of(case, budget, results.missing))
        yield results
    for case in [GPT2_SUBSET] if short else [] if sizes else SHAPE_CASES:
        progress(f"shapes, {case.name}")
        kinds = [Copy, FastadamOnGpu, *map(in_shape, SHORT_SHAPES if short else SHAPES)]
        results.shapes.extend(rows_of(case, budget, {}, kinds))
        yield results


def rows_of(
    case: Case, budget: float, missing: dict[str, str], kinds: Sequence[type[OnGpu]] = CONTENDERS
) -> list[dict[str, Any]]:
    """One row for each contender, with the host's time where it matters."""
    gc.collect()
    cupy.get_default_memory_pool().free_all_blocks()
    contenders = list(set_up(kinds, case, Buffers(case.shapes, cupy), None, missing))
    rows = measure(contenders, case, None, budget)
    if case in HOST_CASES and kinds is CONTENDERS:
        for row, timed in zip(rows, measure([HostTime(c) for c in contenders], case, None, budget), strict=True):
            row |= {"host_nanoseconds": timed["nanoseconds"], "host_quartiles": timed["quartiles"]}
        renewing = [HostTime(c, c.renew) for c in contenders if type(c).renew is not OnGpu.renew]
        named = {row["contender"]: row for row in rows}
        for timed in measure(renewing, case, None, budget):
            named[timed["contender"]] |= {
                "host_new_nanoseconds": timed["nanoseconds"],
                "host_new_quartiles": timed["quartiles"],
            }
    return rows
