"""The tables of a run in float64, and its targets. They are Markdown, readable as text."""

from collections.abc import Iterator

from cases import SMALL_TENSORS
from precision import Float32, Float32Divider
from report import about, duration, table, targets_table, three_digits
from results import BYTES_PER_ELEMENT, Results, gigabytes_per_second, setting
from targets import DIVIDER, DRAM_ELEMENTS, FUSED, IN_CACHE, TIE, WALL, Target

EXPLANATION = (
    "GB/s counts 56 bytes per element. The memory wall is a kernel with fastadam's loads and stores of 8-byte elements and no "
    'arithmetic; the divider wall adds one square root and one division. "Of float32": fastadam\'s time divided by that of the '
    'same step on as many float32; "divider": the same of the divider wall. "vs" a peer: how many times as fast as the peer, '
    "also in float64, fastadam is."
)
OF_FLOAT32 = 2.05  # twice the bytes, half of the elements in a vector
OF_FUSED, OF_FUSED_SMALL = 1.1, 10.0
MEMORY_BOUND = 10_000_000  # elements from which torch fused, too, has the memory's speed


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
        row, narrow = results.row(threads, case, "fastadam"), results.row(threads, case, Float32.name)["times_fastadam"]
        body.append(
            [case, duration(row["nanoseconds"]), f"{gigabytes_per_second(row, 2 * BYTES_PER_ELEMENT):.1f}"]
            + [f"{1 / narrow:.2f}", _two_digits(_divider(results, threads, case))]
            + [f"{100 * results.row(threads, case, wall)['times_fastadam']:.0f}" for wall in walls]
            + [three_digits(results.row(threads, case, peer)["times_fastadam"]) for peer in peers]
        )
    head = ["elements", "time", "GB/s", "of float32", "divider"]
    return table([*head, *(f"% of {wall}" for wall in walls), *(f"vs {peer}" for peer in peers)], body)


def _divider(results: Results, threads: int, case: str) -> float | None:
    """The divider wall's time in float64 divided by that in float32, where both were measured."""
    wall, narrow = (results.ratio(threads, case, name) for name in (DIVIDER, Float32Divider.name))
    return None if wall is None or narrow is None else wall / narrow


def _two_digits(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def _targets(results: Results, threads: int) -> Iterator[Target]:
    """Against the divider in cache and the memory outside of it, against float32 where those allow it, then against a peer."""
    for case in results.unique("case"):
        where = f"{case}, {setting(threads)}"
        elements = results.row(threads, case, "fastadam")["elements"]
        in_dram = elements >= DRAM_ELEMENTS

        def times(contender: str, case: str = case) -> float:
            return float(results.row(threads, case, contender)["times_fastadam"])

        divider = _divider(results, threads, case)
        if in_dram or (case in IN_CACHE and divider is not None and divider <= OF_FLOAT32):
            yield Target(where, "time / float32's", OF_FLOAT32, 1 / times(Float32.name), at_most=True)
        if case in IN_CACHE:
            yield Target(where, "speed / divider wall's", 0.9, times(DIVIDER))
        if in_dram:
            yield Target(where, "speed / memory wall's", 0.95, times(WALL))
        if FUSED in results.of_kind("peer"):
            goal = OF_FUSED_SMALL if case == SMALL_TENSORS.name else TIE if elements >= MEMORY_BOUND else OF_FUSED
            yield Target(where, f"times faster than {FUSED}", goal, times(FUSED))
