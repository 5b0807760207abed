"""Measures every case with one number of threads, in its own process: not all peers can change it at run time."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import precision
import rules
import storage
import torch_loops
import torch_steps
from buffers import Buffers
from cases import select
from contenders import Contender, DividerWall, Fastadam, MemoryWall, NumpyExpression
from measure import measure, set_up
from peers import DeepSpeed, Optax, Thinc, TorchForeach, TorchForLoop, TorchFused
from torch_steps import measure_twice
from tqdm import tqdm

# In the order of the tables' columns.
CONTENDERS: list[type[Contender]] = [MemoryWall, Fastadam, DividerWall, TorchFused, DeepSpeed, Optax]
CONTENDERS += [Thinc, TorchForeach, TorchForLoop, NumpyExpression]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--budget", type=float, default=0, help="seconds of sampling for a small case")
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--rules", action="store_true")
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--float64", action="store_true")
    parser.add_argument("--storage", action="store_true")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    missing: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    if arguments.rules:
        plan = rules.plan(arguments.short)
    elif arguments.torch:
        plan = torch_steps.plan(arguments.short, arguments.threads)
    elif arguments.float64:
        plan = precision.plan(arguments.short)
    elif arguments.storage:
        plan = storage.plan(arguments.short)
    else:
        plan = [(case, CONTENDERS) for case in select(arguments.sizes, arguments.short)]
    progress = tqdm(plan, unit="case", leave=False)
    for case, kinds in progress:
        progress.set_description(f"threads: {arguments.threads}, {case.name}")
        dtype = precision.DTYPE if arguments.float64 else np.float32
        buffers = Buffers(case.shapes, states=max(kind.states for kind in kinds), dtype=dtype)
        contenders = list(set_up(kinds, case, buffers, arguments.threads, missing))
        rows += (measure_twice if arguments.torch else measure)(contenders, case, arguments.threads, arguments.budget)
    if arguments.torch and arguments.threads == 1:
        rows += torch_loops.rows(arguments.budget)
    arguments.output.write_text(json.dumps({"rows": rows, "missing": missing}))


if __name__ == "__main__":
    main()
