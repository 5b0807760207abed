"""Run every program of the gallery, one per CPU at a time, and write figures and pages to build/gallery/."""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastadam.cpu_count import usable_cpus

HERE = Path(__file__).parent
PROGRAMS = sorted([*(path for kind in ("paper", "fails", "why") for path in HERE.glob(f"{kind}_*.py")), HERE / "claims.py"])
FOLDER = Path("build/gallery")
RACE = ["-P", "-m", "fastadam", "race", "--output"]
# Each program has its own CPU.
ONE_THREAD = {"FASTADAM_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def commands(small: bool) -> dict[str, list[str]]:
    """The arguments of Python for each program, by name."""
    of_programs = {program.name: [str(program), *(["--small"] if small else [])] for program in PROGRAMS}
    # The page is for the site: `pages` is copied to its root.
    return of_programs | {"race": [*RACE, f"{FOLDER}/race.svg"], "race page": [*RACE, f"{FOLDER}/pages/race-page.html"]}


def run(command: list[str]) -> tuple[subprocess.CompletedProcess[str], float]:
    start = time.perf_counter()
    result = subprocess.run([sys.executable, *command], env=os.environ | ONE_THREAD, capture_output=True, text=True)
    return result, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="run the small versions, which take seconds, as in the tests")
    todo = commands(parser.parse_args().small)
    failed = []
    with ThreadPoolExecutor(usable_cpus()) as pool:
        for name, (result, seconds) in zip(todo, pool.map(run, todo.values()), strict=True):
            print(f"\n== {name}, {seconds:.0f} s\n{result.stdout.strip()}", flush=True)
            if result.returncode != 0:
                print(result.stderr.strip(), file=sys.stderr)
                failed.append(name)
    if failed:
        sys.exit(f"\nfailed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
