"""fastadam's performance targets, and whether a run reaches them: against the machine's walls first, then against the peers.

Each can be reached on every CPU that has results: what the divider or the memory forbids on one of them is no target.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cases import GPT2_SMALL, MANY_TENSORS, SMALL_TENSORS, one_buffer
from results import Results, setting

DRAM_ELEMENTS = 33_000_000  # and above
IN_CACHE = [one_buffer(30_000).name, one_buffer(300_000).name]
TINY = one_buffer(1_000).name
WALL, DIVIDER = "memory wall", "divider wall"
NUMPY, FUSED, DEEPSPEED = "NumPy", "torch fused", "DeepSpeed"
TIE = 0.97  # where the memory is the limit for all


@dataclass(frozen=True)
class Target:
    """One target: a ratio of times, or microseconds."""

    where: str
    what: str
    goal: float
    value: float
    at_most: bool = False

    @property
    def sign(self) -> str:
        return "≤" if self.at_most else "≥"

    @property
    def verdict(self) -> str:
        # Rounded to the two decimals that are printed: smaller differences do not count.
        value = round(self.value, 2)
        return "reached" if (value <= self.goal if self.at_most else value >= self.goal) else "NOT REACHED"


def judge(results: Results) -> list[Target]:
    """The targets that this run measures."""
    return [target for threads in results.unique("threads") for target in _on(results, threads)]


def _on(results: Results, threads: int) -> Iterator[Target]:
    def against(case: str, goals: dict[str, float]) -> Iterator[Target]:
        for contender, goal in goals.items():
            if (ratio := results.ratio(threads, case, contender)) is not None:
                what = f"speed / {contender}'s" if contender in (WALL, DIVIDER) else f"times faster than {contender}"
                yield Target(at(case), what, goal, ratio)

    def at(case: str) -> str:
        return f"{case}, {setting(threads)}"

    def against_the_fastest(case: str) -> Iterator[Target]:
        if peers := {name: r for name in results.of_kind("peer") if (r := results.ratio(threads, case, name)) is not None}:
            fastest = min(peers, key=lambda name: peers[name])
            yield Target(at(case), f"times faster than the fastest peer ({fastest})", TIE, peers[fastest])

    in_dram = results.unique("case", lambda row: row["tensors"] == 1 and row["elements"] >= DRAM_ELEMENTS)
    for case in in_dram:
        yield from against(case, {WALL: 0.95})
        yield from against_the_fastest(case)
    for case in IN_CACHE:
        yield from against(case, {DIVIDER: 0.9, FUSED: 1.3, DEEPSPEED: 1.0})
    if row := results.find(threads, TINY, "fastadam"):
        yield Target(at(TINY), "µs", 1.5, row["nanoseconds"] / 1e3, at_most=True)
    yield from against(TINY, {FUSED: 12, DEEPSPEED: 6})
    for small in (SMALL_TENSORS, MANY_TENSORS):
        yield from against(small.name, {FUSED: 15})
    yield from against_the_fastest(GPT2_SMALL.name)
    numpy = {case: ratio for case in results.unique("case") if (ratio := results.ratio(threads, case, NUMPY)) is not None}
    if numpy:
        worst = min(numpy, key=lambda case: numpy[case])
        yield Target(at(f"everywhere (worst: {worst})"), "times faster than NumPy", 3.5, numpy[worst])
