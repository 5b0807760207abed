"""``python bench``: measures fastadam beside the walls of the machine and its peers; writes results, tables and a figure.

Run as a directory, not as a module, so that the installed package is found and not the sources beside this folder.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from machine import describe, slug
from report import report
from results import Results
from roofline import draw

from fastadam.cpus import usable_cpus

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser("python bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="a few small cases: checks the answers rather than the speed")
    parser.add_argument("--sizes", type=_elements, nargs="+", metavar="N", help="only buffers of N elements (1e6 will do)")
    parser.add_argument(
        "--budget", type=float, default=5, metavar="S", help="seconds of sampling for a small case (default: 5)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where to write (default: bench/results, or nowhere if short)"
    )
    arguments = parser.parse_args()

    options = ["--short"] if arguments.short else ["--budget", str(arguments.budget)]
    options += ["--sizes", *map(str, arguments.sizes)] if arguments.sizes else []
    results = run(options)
    text = report(results, with_targets=not arguments.short)
    print(text)
    if output := arguments.output or (None if arguments.short else HERE / "results"):
        write(results, text, output)


def run(options: Sequence[str]) -> Results:
    """Measure on one thread and on all."""
    cpus = usable_cpus()
    rows: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "rows.json"
        for threads in dict.fromkeys([1, cpus]):
            worker = [sys.executable, str(HERE / "worker.py"), "--threads", str(threads), "--output", str(output), *options]
            run_on(threads, worker)
            found = json.loads(output.read_text())
            rows += found["rows"]
            missing |= found["missing"]
    return Results(describe(cpus), rows, missing)


def run_on(threads: int, command: list[str]) -> None:
    """Run a command on as many CPUs as it has threads: some peers count CPUs and cannot be told otherwise."""
    variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = os.environ | dict.fromkeys(variables, str(threads))
    if not hasattr(os, "sched_setaffinity"):
        subprocess.run(command, env=environment, check=True)
        return
    cpus = os.sched_getaffinity(0)
    try:
        # Inherited by the child. The last CPUs, since interrupts mostly go to the first.
        os.sched_setaffinity(0, sorted(cpus)[-threads:])
        subprocess.run(command, env=environment, check=True)
    finally:
        os.sched_setaffinity(0, cpus)


def write(results: Results, text: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / slug(results.machine)
    path.with_suffix(".json").write_text(json.dumps(asdict(results), indent=1) + "\n")
    path.with_suffix(".md").write_text(text)
    draw(results, path.with_suffix(".png"))


def _elements(text: str) -> int:
    return int(float(text))


if __name__ == "__main__":
    main()
