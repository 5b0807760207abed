"""Run every program of the gallery, one per CPU at a time, and write its figure and what it prints to docs/figures/."""

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
FOLDER, FIGURES = Path("build/gallery"), Path("docs/figures")  # of small versions and pages; of full versions
RACE = ["-P", "-m", "fastadam", "race", "--output"]
# Each program has its own CPU.
ONE_THREAD = {"FASTADAM_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def commands(small: bool) -> dict[str, list[str]]:
    """The arguments of Python for each program, by name."""
    if small:
        # The page is for the site: `pages` is copied to its root.
        todo = {path.stem: [str(path), "--small"] for path in PROGRAMS if not (FIGURES / f"{path.stem}.svg").exists()}
        return todo | {"race page": [*RACE, f"{FOLDER}/pages/race-page.html"]}
    todo = {path.stem: [str(path), "--output", str(FIGURES / f"{path.stem}.svg")] for path in PROGRAMS}
    return todo | {"race": [*RACE, f"{FIGURES}/race.svg"]}


def run(command: list[str]) -> tuple[subprocess.CompletedProcess[str], float]:
    start = time.perf_counter()
    result = subprocess.run([sys.executable, *command], env=os.environ | ONE_THREAD, capture_output=True, text=True)
    return result, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="what the site needs beside docs/figures/, in seconds")
    small = parser.parse_args().small
    todo = commands(small)
    failed = []
    with ThreadPoolExecutor(usable_cpus()) as pool:
        for name, (result, seconds) in zip(todo, pool.map(run, todo.values()), strict=True):
            print(f"\n== {name}, {seconds:.0f} s\n{result.stdout.strip()}", flush=True)
            if not small and name != "race":  # whose numbers no page has
                (FIGURES / f"{name}.txt").write_text(result.stdout.rpartition("figure: ")[0] or result.stdout)
            if result.returncode != 0:
                print(result.stderr.strip(), file=sys.stderr)
                failed.append(name)
    if failed:
        sys.exit(f"\nfailed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
