"""Measures every case on one number of threads, in a process of its own: not all peers can change theirs once they run."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from answers import expect
from buffers import TIMED, Buffers
from cases import Case, select
from contenders import Contender, DividerWall, Fastadam, MemoryWall, NumpyExpression
from interleave import interleave
from peers import DeepSpeed, Optax, Thinc, TorchForeach, TorchForLoop, TorchFused
from tqdm import tqdm

# In the order of the tables' columns.
CONTENDERS: list[type[Contender]] = [MemoryWall, Fastadam, DividerWall, TorchFused, DeepSpeed, Optax]
CONTENDERS += [Thinc, TorchForeach, TorchForLoop, NumpyExpression]

STEPS_CHECKED = 2
LARGE = 10_000_000  # elements from which a case gets more time: its steps take long, and few samples are no median


def set_up(case: Case, threads: int, missing: dict[str, str]) -> Iterator[Contender]:
    """The contenders that are installed, each of which has given the right answer; the others go into `missing`."""
    buffers = Buffers(case.shapes)
    for kind in CONTENDERS:
        if kind.name in missing:
            continue
        try:
            contender = kind(buffers, threads)
        except ImportError as error:
            missing[kind.name] = f"no module {error.name}"
            continue
        contender.load(kind.checked)
        for _ in range(STEPS_CHECKED):
            contender.step()
        expect(f"{kind.name}, {case.name}, {threads} threads", contender.arrays, kind.answer(kind.checked, STEPS_CHECKED))
        contender.load(TIMED)
        yield contender


def measure(case: Case, threads: int, budget: float, missing: dict[str, str]) -> list[dict[str, Any]]:
    """One row for each contender."""
    all_series = interleave(list(set_up(case, threads, missing)), budget * (4 if case.elements > LARGE else 1))
    (fastadam,) = (series for series in all_series if series.contender.kind == "ours")
    return [
        {
            "threads": threads,
            "case": case.name,
            "tensors": len(case.shapes),
            "elements": case.elements,
            "contender": series.contender.name,
            "kind": series.contender.kind,
            "nanoseconds": series.median,
            "quartiles": series.quartiles,
            "samples": len(series.samples),
            "steps_per_sample": series.steps,
            "times_fastadam": series.over(fastadam),
        }
        for series in all_series
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--budget", type=float, default=0, help="seconds of sampling for a small case")
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    missing: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    progress = tqdm(select(arguments.sizes, arguments.short), unit="case", leave=False)
    for case in progress:
        progress.set_description(f"threads: {arguments.threads}, {case.name}")
        rows += measure(case, arguments.threads, arguments.budget, missing)
    arguments.output.write_text(json.dumps({"rows": rows, "missing": missing}))


if __name__ == "__main__":
    main()
