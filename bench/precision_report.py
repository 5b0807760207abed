"""The tables of a run in float64, and its targets. They are Markdown, readable as text."""

from collections.abc import Iterator

from cases import SMALL_TENSORS
from precision import Float32
from report import about, duration, table, targets_table, three_digits
from results import BYTES_PER_ELEMENT, Results, gigabytes_per_second, setting
from targets import DIVIDER, DRAM_ELEMENTS, FUSED, IN_CACHE, WALL, Target

EXPLANATION = (
    "GB/s counts 56 bytes per element. The memory wall is a kernel with fastadam's loads and stores of 8-byte elements and no "
    'arithmetic; the divider wall adds one square root and one division. "Of float32": fastadam\'s time divided by that of the '
    'same step on as many float32. "vs" a peer: how many times as fast as the peer, also in float64, fastadam is.'
)
OF_FLOAT32 = 2.05  # twice the bytes, half of the elements in a vector
OF_FUSED, OF_FUSED_SMALL = 1.1, 10.0


def report(results: Results, with_targets: bool = True) -> str:
    """The report of a run. Leave the targets out for a short run, whose single samples are too few to judge them."""
    parts = [about(results, "AdamW in float64", EXPLANATION)]
    for threads in results.unique("threads"):
        parts += [f"## {setting(threads)}: one step", steps(results, threads)]
    if with_targets:
        parts += ["## Targets", targets_table(target for t in results.unique("threads") for target in _targets(results, t))]
    return "\n\n".join(parts) + "\n"


def steps(results: Results, threads: int) -> str:
    walls, peers = results.of_kind("wall"), results.of_kind("peer")
    body = []
    for case in results.unique("case"):
        row = results.row(threads, case, "fastadam")
        body.append(
            [case, duration(row["nanoseconds"]), f"{gigabytes_per_second(row, 2 * BYTES_PER_ELEMENT):.1f}"]
            + [f"{1 / results.row(threads, case, Float32.name)['times_fastadam']:.2f}"]
            + [f"{100 * results.row(threads, case, wall)['times_fastadam']:.0f}" for wall in walls]
            + [three_digits(results.row(threads, case, peer)["times_fastadam"]) for peer in peers]
        )
    head = ["elements", "time", "GB/s", "of float32", *(f"% of {wall}" for wall in walls), *(f"vs {peer}" for peer in peers)]
    return table(head, body)


def _targets(results: Results, threads: int) -> Iterator[Target]:
    """Against float32 where the kernel is most of a step; against the divider in cache, and the memory outside of it."""
    for case in results.unique("case"):
        where = f"{case}, {setting(threads)}"
        in_dram = results.row(threads, case, "fastadam")["elements"] >= DRAM_ELEMENTS

        def times(contender: str, case: str = case) -> float:
            return float(results.row(threads, case, contender)["times_fastadam"])

        if case in IN_CACHE or in_dram:
            yield Target(where, "time / float32's", OF_FLOAT32, 1 / times(Float32.name), at_most=True)
        if case in IN_CACHE:
            yield Target(where, "speed / divider wall's", 0.9, times(DIVIDER))
        if in_dram:
            yield Target(where, "speed / memory wall's", 0.95, times(WALL))
        if FUSED in results.of_kind("peer"):
            goal = OF_FUSED_SMALL if case == SMALL_TENSORS.name else OF_FUSED
            yield Target(where, f"times faster than {FUSED}", goal, times(FUSED))
