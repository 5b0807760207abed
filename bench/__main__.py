"""``python bench``: measures fastadam, the machine's limits and other libraries; writes results, tables and a figure.

It is run as a directory, not as a module, so that it imports the installed package and not the sources beside this folder.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import precision_report
import rules_report
import storage_report
import torch_report
from command import RESULTS, add_options, write
from machine import describe
from report import report
from results import Results

from fastadam.cpu_count import usable_cpus

HERE = Path(__file__).parent
REPORTS = {None: report, "rules": rules_report.report, "torch": torch_report.report, "float64": precision_report.report}
REPORTS |= {"storage": storage_report.report}


def main() -> None:
    parser = argparse.ArgumentParser("python bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--rules", action="store_true", help="every rule and option instead of the sizes and the peers")
    parser.add_argument("--torch", action="store_true", help="fastadam.torch beside torch.optim, also in training loops")
    parser.add_argument("--float64", action="store_true", help="AdamW in float64, beside its float32 and the peers")
    parser.add_argument("--storage", action="store_true", help="AdamW on bfloat16 and 8 bits, beside float32 and the peers")
    arguments = add_options(parser).parse_args()
    parts = [part for part in REPORTS if part and getattr(arguments, part)]
    if len(parts) + bool(arguments.sizes) > 1:
        parser.error("--rules, --torch, --float64, --storage and --sizes exclude each other")
    part = parts[0] if parts else None

    options = ["--short"] if arguments.short else ["--budget", str(arguments.budget)]
    options += ["--sizes", *map(str, arguments.sizes)] if arguments.sizes else []
    options += [f"--{part}"] if part else []
    results = run(options)
    text = REPORTS[part](results, with_targets=not arguments.short)
    print(text)
    if output := arguments.output or (None if arguments.short else RESULTS):
        write(results, text, output, part=part)


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
    """Run a command on as many CPUs as it has threads, since some peers always use all CPUs."""
    variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = os.environ | dict.fromkeys(variables, str(threads))
    if not hasattr(os, "sched_setaffinity"):
        subprocess.run(command, env=environment, check=True)
        return
    cpus = os.sched_getaffinity(0)
    try:
        # The child inherits this. The last CPUs, since most interrupts go to the first.
        os.sched_setaffinity(0, sorted(cpus)[-threads:])
        subprocess.run(command, env=environment, check=True)
    finally:
        os.sched_setaffinity(0, cpus)


if __name__ == "__main__":
    main()
