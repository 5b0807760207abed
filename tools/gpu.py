"""All that needs a GPU, one after the other, on a machine that may have no network; a table of the results comes last.

    python tools/gpu.py [--output DIR] [--limit SECONDS] [STAGE ...]

It needs CuPy with its compiler, pytest, and what the package is built with (see pyproject.toml; without cython-cmake, the
Cython interface is left out). The benchmark also uses torch, JAX and matplotlib, the sanitizer compute-sanitizer, if they are
installed. Without the stage `build`, the installed package is used. `shapes` is the whole benchmark, which takes longer than
all others; name it alone, after a run of the others.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
BUILD = "--no-build-isolation --no-deps --no-index --disable-pip-version-check --upgrade --quiet"
SIZES = "1e3 1e6 1e7 67108864 268435456"  # of the short benchmark


class Result(NamedTuple):
    """What became of a stage."""

    name: str
    is_good: bool
    words: list[str]
    seconds: float


def last_line(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.strip()][-1:] or ["said nothing"]


def of_tests(output: str) -> list[str]:
    """The number of tests that passed, and the first that did not."""
    counts = re.findall(r"^=* ?(\d+ \w+.* in [\d.]+)s", output, re.MULTILINE)
    failed = re.findall(r"^(?:FAILED|ERROR) .*", output, re.MULTILINE)
    return [*(counts[-1:] or last_line(output)), *(line[:160] for line in failed[:12])]


def of_benchmark(output: str) -> list[str]:
    """The targets, and those that were not reached."""
    targets = [
        [cell.strip() for cell in line.strip("| ").split("|")] for line in output.partition("## Targets")[2].splitlines()
    ]
    verdicts = [cells for cells in targets if len(cells) == 5 and cells[-1].lower() in ("reached", "not reached")]
    if not verdicts:
        return last_line(output)
    missed = [cells for cells in verdicts if cells[-1] != "reached"]
    return [f"{len(verdicts) - len(missed)} of {len(verdicts)} targets reached", *(" ".join(cells[:4]) for cells in missed)]


def python(*words: str) -> list[str]:
    return [sys.executable, "-P", *words]


def stages(output: Path, site: Path) -> dict[str, tuple[list[str], float, Callable[[str], list[str]]]]:
    """For each stage its command, the most seconds that it takes, and what its output says."""
    tests = python("-m", "pytest", "-m", "gpu", "-q", "-ra", "--tb=short", "-W", "default", "-p", "no:cacheprovider")
    many = ["-n", "8", "--dist", "worksteal"] if importlib.util.find_spec("xdist") else []
    sanitizer, parity = "tests/gpu/test_sanitizer.py", "tests/test_cuda_parity.py"
    bench = [sys.executable, "bench/cuda", "--output", str(output / "results"), "--budget"]
    return {
        "build": (python("-m", "pip", "install", *BUILD.split(), "--target", str(site), "."), 240, last_line),
        "bits": ([*tests, *many, parity], 200, of_tests),
        "tests": ([*tests, *many, "--ignore", sanitizer, "--ignore", parity], 240, of_tests),
        "sanitizer": ([*tests, *many, sanitizer], 200, of_tests),
        "bench": ([*bench, "1", "--sizes", *SIZES.split()], 240, of_benchmark),
        "shapes": ([*bench, "1"], 570, of_benchmark),
    }


def run(name: str, command: list[str], seconds: float, says: Callable[[str], list[str]], log: Path) -> Result:
    start = time.monotonic()
    try:
        done = subprocess.run(
            command, cwd=ROOT, timeout=seconds, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        output, status = done.stdout, done.returncode
        words = says(output) if status == 0 or says is of_tests else last_line(output)
    except subprocess.TimeoutExpired as expired:
        output, status = (expired.stdout or b"").decode(errors="replace"), 1
        words = [f"cut off after {seconds:.0f} s", *says(output)]
    log.write_text(output)
    if name == "build" and status == 0:
        words = ["installed"]
    is_good = status == 0 and (says is not of_tests or " passed" in words[0])  # not if all were skipped
    return Result(name, is_good, words, time.monotonic() - start)


def table(results: list[Result]) -> str:
    lines = [f"{'stage':<10} {'':<6} {'time':>6}  result"]
    for result in results:
        head = f"{result.name:<10} {'ok' if result.is_good else 'FAILED':<6} {result.seconds:>4.0f} s"
        lines += [f"{head}  {result.words[0]}", *(f"{'':<{len(head)}}  {line}" for line in result.words[1:])]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="default: build bits tests sanitizer bench")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "gpu", help="for logs and results; default build/gpu")
    parser.add_argument("--limit", type=float, default=570, help="seconds for everything; default 570")
    arguments = parser.parse_args()
    output, site = arguments.output.resolve(), (arguments.output / "site").resolve()
    known = stages(output, site)
    if unknown := [name for name in arguments.stages if name not in known]:
        parser.error(f"argument STAGE: found {unknown}; expected some of {[*known]}")
    output.mkdir(parents=True, exist_ok=True)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    os.environ |= {"OMP_WAIT_POLICY": "passive", "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "PYTHONUNBUFFERED": "1"}
    results: list[Result] = []
    for name in arguments.stages or [name for name in known if name != "shapes"]:
        command, most, says = known[name]
        left = max(arguments.limit - sum(result.seconds for result in results), 5)
        print(f"{name} ...", file=sys.stderr, flush=True)
        results.append(run(name, command, min(most, left), says, output / f"{name}.log"))
        if name == "build" and not results[-1].is_good:
            break
    text = table(results)
    (output / "table.txt").write_text(text + "\n")
    print(text)
    if not all(result.is_good for result in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
