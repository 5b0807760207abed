"""One table of all machines and releases that have results: ``python bench/side_by_side.py``."""

import json
from pathlib import Path
from typing import Any

from cases import GPT2_SMALL, SMALL_TENSORS, one_buffer
from command import RESULTS
from machine import subject
from report import table
from results import Results
from targets import FUSED, NUMPY, WALL

SMALL, CACHED, LARGE = (one_buffer(size).name for size in (1_000, 300_000, 33_000_000))
HEAD = ["machine", "release", "threads", f"{SMALL}, µs", f"{LARGE}, % of wall", f"{CACHED}, vs {FUSED}", f"{LARGE}, vs {FUSED}"]
HEAD += [f"{SMALL_TENSORS.name}, vs {FUSED}", f"{GPT2_SMALL.name}, vs {FUSED}", f"{CACHED}, vs {NUMPY}"]


def side_by_side(folder: Path = RESULTS) -> str:
    """The table, of every run on a CPU that measured the peers."""
    rows: list[list[str]] = []
    for path in sorted(folder.glob("*/*.json")):
        run = json.loads(path.read_text())
        if "gpu" not in run["machine"] and not path.stem.endswith(("-rules", "-torch", "-float64", "-storage")):
            results = Results(run["machine"], run["rows"], run["missing"])
            rows += [_row(results, path.parent.name, threads) for threads in results.unique("threads")]
    return table(HEAD, rows)


def _row(results: Results, release: str, threads: int) -> list[str]:
    def times(case: str, contender: str) -> str:
        ratio = results.ratio(threads, case, contender)
        return "" if ratio is None else f"{ratio:.2f}"

    def percent(ratio: float | None) -> str:
        return "" if ratio is None else f"{100 * ratio:.0f}"

    small: dict[str, Any] | None = results.find(threads, SMALL, "fastadam")
    return [
        subject(results.machine),
        release,
        str(threads),
        "" if small is None else f"{small['nanoseconds'] / 1e3:.2f}",
        percent(results.ratio(threads, LARGE, WALL)),
        *(times(case, FUSED) for case in (CACHED, LARGE, SMALL_TENSORS.name, GPT2_SMALL.name)),
        times(CACHED, NUMPY),
    ]


if __name__ == "__main__":
    print(side_by_side())
