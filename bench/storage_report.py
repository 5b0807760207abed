"""The tables of a run over formats of 16 and 8 bits, and its targets. They are Markdown, readable as text."""

from collections.abc import Iterator

from report import about, duration, table, targets_table
from results import Results, setting
from storage import STORAGE, EightBits, HalfGradient, Halves, Split
from targets import DRAM_ELEMENTS, Target

EXPLANATION = (
    "A step of AdamW whose arrays are stored in other formats. Bytes: those that a step reads and writes for an element, 28 of "
    '"fastadam", which is float32. Times as fast: its time divided by that of the format. The bound is what the bytes '
    "alone would give."
)
FLOAT32_BYTES = 28
GOALS = {Halves.name: 1.45, Split.name: 1.15, EightBits.name: 0.95, HalfGradient.name: 1.08}  # in DRAM, on all threads
IN_DRAM = DRAM_ELEMENTS // 2
FUSED = "torch fused, bf16"


def report(results: Results, with_targets: bool = True) -> str:
    """The report of a run. Leave the targets out for a short run, whose single samples are too few to judge them."""
    parts = [about(results, "AdamW on 16 and 8 bits", EXPLANATION)]
    for threads in results.unique("threads"):
        for case in results.unique("case"):
            parts += [f"## {case} elements, {setting(threads)}", _steps(results, threads, case)]
    if with_targets:
        parts += ["## Targets", targets_table(_targets(results))]
    return "\n\n".join(parts) + "\n"


def _steps(results: Results, threads: int, case: str) -> str:
    count = results.row(threads, case, "fastadam")["elements"]
    bytes_of = {kind.name: kind.bytes_per_element for kind in STORAGE} | {"fastadam": FLOAT32_BYTES, FUSED: 14}
    body = []
    for name in ("fastadam", *(kind.name for kind in STORAGE), *results.of_kind("peer")):
        row, size = results.row(threads, case, name), bytes_of[name]
        times = f"{1 / row['times_fastadam']:.2f}", f"{FLOAT32_BYTES / size:.2f}"
        body.append([name, f"{size:g}", duration(row["nanoseconds"]), f"{row['nanoseconds'] / count:.3f}", *times])
    return table(["", "bytes", "time", "ns an element", "times as fast", "bound"], body)


def _targets(results: Results) -> Iterator[Target]:
    threads = results.unique("threads")[-1]
    for case in results.unique("case", lambda row: row["elements"] >= IN_DRAM):
        where = f"{case}, {setting(threads)}"
        for name, goal in GOALS.items():
            yield Target(
                where, f"{name}: times as fast as float32", goal, 1 / results.row(threads, case, name)["times_fastadam"]
            )
        if FUSED in results.of_kind("peer"):
            ours = results.row(threads, case, Halves.name)["times_fastadam"]
            yield Target(
                where,
                f"{Halves.name}: times as fast as {FUSED}",
                1.0,
                results.row(threads, case, FUSED)["times_fastadam"] / ours,
            )
