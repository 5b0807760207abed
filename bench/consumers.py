"""``python bench/consumers.py``: measures the call overhead from C++, Cython and Python, with steps of 1,000 elements.

It builds the extension modules of tests/consumers with pip, so it needs a compiler and their build requirements.
"""

import functools
import importlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from command import RESULTS
from machine import describe, slug
from report import table

import fastadam
from fastadam.commands.timing import interleave
from fastadam.cpu_count import usable_cpus

CONSUMERS = Path(__file__).parents[1] / "tests" / "consumers"
SIZE, STEPS, SECONDS = 1000, 100, 10.0
LINES = -(-SIZE // 16)  # cache lines that hold this many floats
Repeat = Callable[..., object]  # (param, grad, exp_avg, exp_avg_sq, steps)


def build(folder: str) -> dict[str, Repeat]:
    """Build the modules; returns for each language a function that takes many steps."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--target", folder]
    for name in ("cpp", "cython"):
        source = shutil.copytree(CONSUMERS / name, Path(folder, name))  # a copy, since pip leaves files in it
        subprocess.run([*pip, source], check=True)
    sys.path.insert(0, folder)
    modules = {"C++": "cpp_consumer", "Cython": "cython_consumer"}
    return {name: importlib.import_module(module).repeat for name, module in modules.items()}


def adam_steps(*arrays: np.ndarray, steps: int) -> None:
    for t in range(1, steps + 1):
        fastadam.adam_step(*arrays, step=t)


def optimizer_steps(optimizer: fastadam.Adam, grad: np.ndarray, steps: int) -> None:
    for _ in range(steps):
        optimizer.step(grad)


def arrays() -> list[np.ndarray]:
    """Parameter, gradient and moments, each aligned to a cache line, at different offsets within their pages.

    If loads and stores of a loop have the same page offset, the CPU treats them as dependent.
    """
    rows = fastadam.flatten(np.zeros((4, 2 * LINES, 16), np.float32))[1].reshape(4, -1)
    rows[:2, :SIZE] = np.linspace(0.5, 1, SIZE, dtype=np.float32)
    return [row[:SIZE] for row in rows]


def check(repeat: Repeat) -> None:
    expected, actual = arrays(), arrays()
    for t in range(1, STEPS + 1):
        fastadam.reference.adam_step(*expected, step=t)
    repeat(*actual, steps=STEPS)
    assert all(a.tobytes() == e.tobytes() for a, e in zip(actual, expected, strict=True)), "not the reference's bits"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        functions = build(folder) | {"Python, adam_step": adam_steps}
        for repeat in functions.values():
            check(repeat)
        samples = {name: functools.partial(repeat, *arrays(), steps=STEPS) for name, repeat in functions.items()}
        param, grad, *_ = arrays()
        samples["Python, Adam.step"] = functools.partial(optimizer_steps, fastadam.Adam(param), grad, STEPS)
        times = interleave(samples, SECONDS)
    body = [[name, f"{times.median(name) / STEPS * 1e6:.2f}"] for name in samples]
    machine = describe(usable_cpus())
    text = f"# Call overhead from C++, Cython and Python: a step of {SIZE:,} elements\n\n"
    text += f"{machine['cpu']}, {machine['isa']}, {machine['date']}.\n\n"
    text += table(["", "µs"], body) + "\n"
    print(text)
    (RESULTS / f"{slug(machine)}-consumers.md").write_text(text)


if __name__ == "__main__":
    main()
