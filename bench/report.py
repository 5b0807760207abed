"""The tables: times of all contenders, and fastadam relative to walls and peers. They are Markdown, readable as text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from machine import microarchitecture
from results import Results, gigabytes_per_second, setting
from targets import Target, judge

EXPLANATION = (
    "GB/s counts 28 bytes per element. The memory wall is a kernel with fastadam's loads and stores and no arithmetic; the "
    'divider wall adds one square root and one division. "vs" a peer: how many times as fast as the peer fastadam is. thinc '
    "has no weight decay. After a product: each step follows a product of two 512 x 512 matrices, by torch for its optimizers "
    "and DeepSpeed and by NumPy for the others; the time is that of the steps."
)


def report(results: Results, with_targets: bool = True) -> str:
    """The report of a run. Leave the targets out for a short run, whose single samples are too few to judge them."""
    parts = [about(results, "AdamW", EXPLANATION)]
    for threads in results.unique("threads"):
        parts += sections(results, threads)
    if with_targets:
        parts += ["## Targets", targets_table(judge(results))]
    return "\n\n".join(parts) + "\n"


def sections(results: Results, threads: int | None) -> list[str]:
    """The tables for one number of threads, or for a GPU, with their titles."""
    title = setting(threads)
    return [
        f"## {title}: time of one step",
        _times(results, threads),
        f"## {title}: fastadam relative to the walls and peers",
        table(*ratios(results, threads)),
    ]


def about(results: Results, subject: str, explanation: str) -> str:
    """The introduction of a report: what was measured, on what machine, and how to read it."""
    machine = results.machine
    caches = ", ".join(f"{level} {size // 1024:,} KiB" for level, size in machine["caches"].items())
    lines = [
        f"# {subject} on {microarchitecture(machine['cpu'])}",
        "",
        f"{machine['date']}; {machine['cpu']}; {machine['cpus']} CPUs, {caches}; {machine['system']}; "
        f"instruction set {machine['isa']}; fastadam built with {machine['compiler']}, {machine['openmp']}.",
        "",
        f"{versions(machine)}.",
        "",
        f"Times are medians of interleaved samples in one run; ratios are medians of the ratios within a round. {explanation}",
    ]
    return "\n".join(lines + missing(results))


def versions(machine: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in machine["versions"].items())


def missing(results: Results) -> list[str]:
    """A line for each contender that could not be measured."""
    return [f"\nMissing: {name} ({why})." for name, why in results.missing.items()]


def _times(results: Results, threads: int | None) -> str:
    contenders = results.unique("contender")
    body = []
    for case in results.unique("case"):
        rows = [results.find(threads, case, contender) for contender in contenders]
        body.append([case, *(duration(row["nanoseconds"]) if row else "" for row in rows)])
    return table(["elements", *contenders], body)


def ratios(results: Results, threads: int | None) -> tuple[list[str], list[list[str]]]:
    """Header and body of the table of fastadam's time relative to each contender's."""
    peers, walls = results.of_kind("peer"), results.of_kind("wall")
    head = ["elements", "time", "GB/s", *(f"% of {wall}" for wall in walls), *(f"vs {peer}" for peer in peers)]
    body = []
    for case in results.unique("case"):
        if (row := results.find(threads, case, "fastadam")) is None:
            continue
        of_walls = [results.ratio(threads, case, wall) for wall in walls]
        times_faster = [results.ratio(threads, case, peer) for peer in peers]
        body.append(
            [case, duration(row["nanoseconds"]), f"{gigabytes_per_second(row):.1f}"]
            + ["" if ratio is None else f"{100 * ratio:.0f}" for ratio in of_walls]
            + ["" if ratio is None else three_digits(ratio) for ratio in times_faster]
        )
    return head, body


def targets_table(targets: Iterable[Target]) -> str:
    body = [[t.where, t.what, f"{t.sign} {t.goal:g}", three_digits(t.value), t.verdict] for t in targets]
    return table(["where", "what", "target", "measured", ""], body)


def duration(nanoseconds: float) -> str:
    for unit, scale in (("s", 1e9), ("ms", 1e6)):
        if nanoseconds >= scale:
            return f"{three_digits(nanoseconds / scale)} {unit}"
    return f"{three_digits(nanoseconds / 1e3)} µs"


def three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A Markdown table with padded columns, so that it can be read as text."""
    rows = [list(head), *map(list, body)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    # Numbers are aligned to the right; the first column is never a number.
    left = [i == 0 or not any(row[i][:1].isdigit() for row in rows[1:]) for i in range(len(head))]
    rule = [("-" * w) if is_left else "-" * (w - 1) + ":" for w, is_left in zip(widths, left, strict=True)]
    lines = []
    for row in [rows[0], rule, *rows[1:]]:
        cells = [c.ljust(w) if is_left else c.rjust(w) for c, w, is_left in zip(row, widths, left, strict=True)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
