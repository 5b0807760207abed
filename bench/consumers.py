"""``python bench/consumers.py``: steps of 1,000 elements, and of 1,000 tensors of 256, from C++, Cython and Python.

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
from types import ModuleType

import numpy as np
from command import RESULTS
from machine import describe, slug
from report import table

import fastadam
from fastadam.commands.timing import interleave
from fastadam.cpu_count import usable_cpus

CONSUMERS = Path(__file__).parents[1] / "tests" / "consumers"
SIZE, STEPS, SECONDS = 1000, 100, 10.0
MANY, MANY_SIZE, MANY_STEPS = 1000, 256, 10
Repeat = Callable[..., object]  # (param, grad, exp_avg, exp_avg_sq, steps)


def build(folder: str) -> tuple[ModuleType, ModuleType]:
    """Build and import the modules in C++ and Cython."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--target", folder]
    for name in ("cpp", "cython"):
        source = shutil.copytree(CONSUMERS / name, Path(folder, name))  # a copy, since pip leaves files in it
        subprocess.run([*pip, source], check=True)
    sys.path.insert(0, folder)
    return importlib.import_module("cpp_consumer"), importlib.import_module("cython_consumer")


def adam_steps(*arrays: np.ndarray, steps: int) -> None:
    for t in range(1, steps + 1):
        fastadam.adam_step(*arrays, step=t)


def optimizer_steps(optimizer: fastadam.Adam, grads: object, steps: int) -> None:
    for _ in range(steps):
        optimizer.step(grads, num_threads=1)


def made_once(repeat_many: Repeat) -> Repeat:
    """Steps of one tensor by a function for the rows of matrices."""
    return lambda *arrays, steps: repeat_many(*(array.reshape(1, -1) for array in arrays), steps)


def arrays(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Parameters, gradients and moments, each aligned to a cache line, at different offsets within their pages.

    If loads and stores of a loop have the same page offset, the CPU treats them as dependent.
    """
    lines = -(-int(np.prod(shape)) // 16)  # cache lines that hold this many floats
    rows = fastadam.flatten(np.zeros((4, lines + 33, 16), np.float32))[1].reshape(4, -1)
    made = [row[: np.prod(shape)].reshape(shape) for row in rows]
    for array in made[:2]:
        array[...] = np.linspace(0.5, 1, array.size, dtype=np.float32).reshape(shape)
    return made


def check(repeat: Repeat, shape: tuple[int, ...], steps: int) -> None:
    expected, actual = arrays(shape), arrays(shape)
    for t in range(1, steps + 1):
        fastadam.reference.adam_step(*expected, step=t)
    repeat(*actual, steps=steps)
    assert all(a.tobytes() == e.tobytes() for a, e in zip(actual, expected, strict=True)), "not the reference's bits"


def measure(functions: dict[str, Repeat], shape: tuple[int, ...], steps: int) -> dict[str, float]:
    """Microseconds for one step of each function, after a check of its bits, and of Adam.step on the rows of a matrix."""
    for repeat in functions.values():
        check(repeat, shape, steps)
    samples = {name: functools.partial(repeat, *arrays(shape), steps=steps) for name, repeat in functions.items()}
    param, grad, *_ = arrays(shape)
    (params, grads) = (list(param), list(grad)) if len(shape) > 1 else (param, grad)
    samples["Python, Adam.step"] = functools.partial(optimizer_steps, fastadam.Adam(params), grads, steps)
    times = interleave(samples, SECONDS)
    return {name: times.median(name) / steps * 1e6 for name in samples}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        cpp, cython = build(folder)
        one = {"C++, adam_step": cpp.repeat, "Cython, adam_step": cython.repeat, "Python, adam_step": adam_steps}
        one["Cython, tensors_step"] = made_once(cython.repeat_many)
        small = measure(one, (SIZE,), STEPS)
        large = measure({"C++, adam_step": cpp.repeat}, (3 * SIZE,), STEPS)
        many = measure({"Cython, tensors_step": cython.repeat_many}, (MANY, MANY_SIZE), MANY_STEPS)
    kernel = (large["C++, adam_step"] - small["C++, adam_step"]) / 2
    body = [["the kernel alone", f"{kernel:.2f}", ""]]
    body += [[name, f"{small[name]:.2f}", f"{many[name]:.0f}" if name in many else ""] for name in small]
    machine = describe(usable_cpus())
    text = "# Steps of Adam from C++, Cython and Python, in microseconds\n\n"
    text += f"{machine['cpu']}, {machine['isa']}, one thread, {machine['date']}. The time of the kernel alone is half the "
    text += f"difference between steps of {3 * SIZE:,} and of {SIZE:,} elements.\n\n"
    text += table(["", f"{SIZE:,} elements", f"{MANY:,} x {MANY_SIZE}"], body) + "\n"
    print(text)
    path = RESULTS / f"{slug(machine)}-consumers.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    main()
