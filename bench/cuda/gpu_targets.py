"""fastadam's performance targets on a GPU, and whether a run reaches them."""

from collections.abc import Iterator

from cases import GPT2_SMALL, ZEROS, one_buffer
from results import Results
from targets import FUSED, Target

MEMORY_BOUND = 2**26  # elements from which on the GPU's memory is the limit
COPY, WALL, FAST_MATH = "copy", "memory wall", "fast-math build"
HOST_MICROSECONDS = {one_buffer(1_000).name: 12, GPT2_SMALL.name: 60}


def judge(results: Results) -> Iterator[Target]:
    """The targets that this run measures."""
    for case in results.unique("case"):
        row = results.find(None, case, "fastadam")
        ratios = {name: results.ratio(None, case, name) for name in (COPY, FAST_MATH, FUSED)}
        if row["elements"] >= MEMORY_BOUND and case != ZEROS.name:  # which the memory does not bound
            if ratios[COPY] is not None:
                yield Target(case, "speed / copy's", 0.95, ratios[COPY])
            if ratios[FAST_MATH] is not None:
                yield Target(case, "% that strict arithmetic costs", 2, 100 * (1 / ratios[FAST_MATH] - 1), at_most=True)
        if ratios[FUSED] is not None:
            yield Target(case, f"times faster than {FUSED}", 1.0, ratios[FUSED])
        for name, kind in (("µs of the host", "host"), ("µs of the host, new gradients", "host_new")):
            if case in HOST_MICROSECONDS and f"{kind}_nanoseconds" in row:
                yield Target(case, name, HOST_MICROSECONDS[case], row[f"{kind}_nanoseconds"] / 1e3, at_most=True)
