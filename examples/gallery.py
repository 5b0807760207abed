"""Run the programs of the gallery, one per CPU at a time, and write figures and what they print to docs/figures/.

The small versions, which take seconds, write to build/gallery/, and so does the race, whose page is large.
"""

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
ROOT = HERE.parent
FIGURES, BUILD = ROOT / "docs" / "figures", ROOT / "build" / "gallery"
RACE = ["-P", "-m", "fastadam", "race", "--output"]
# The page is for the site: `pages` is copied to its root.
RACES = {"race": [*RACE, f"{BUILD}/race.svg"], "race page": [*RACE, f"{BUILD}/pages/race-page.html"]}
# Each program has its own CPU.
ONE_THREAD = {"FASTADAM_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def commands(small: bool) -> dict[str, list[str]]:
    """The arguments of Python for each program, by name."""
    folder = BUILD if small else FIGURES
    options = {
        program: ["--output", str(folder / f"{program.stem}.svg"), *(["--small"] if small else [])] for program in PROGRAMS
    }
    return {program.name: [str(program), *options[program]] for program in PROGRAMS} | RACES


def run(command: list[str]) -> tuple[subprocess.CompletedProcess[str], float]:
    start = time.perf_counter()
    result = subprocess.run([sys.executable, *command], env=os.environ | ONE_THREAD, capture_output=True, text=True)
    return result, time.perf_counter() - start


def _without_paths(printed: str) -> str:
    """What a program found, without where it wrote."""
    return "".join(line for line in printed.splitlines(keepends=True) if not line.startswith("figure: "))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as fails_late.py or race; default: all")
    parser.add_argument("--small", action="store_true", help="run the small versions, as the tests do")
    options = parser.parse_args()
    todo = commands(options.small)
    if unknown := [name for name in options.names if name not in todo]:
        parser.error(f"argument NAME: found {unknown}; expected some of {[*todo]}")
    todo = {name: command for name, command in todo.items() if name in (options.names or todo)}
    failed = []
    with ThreadPoolExecutor(usable_cpus()) as pool:
        for name, (result, seconds) in zip(todo, pool.map(run, todo.values()), strict=True):
            print(f"\n== {name}, {seconds:.0f} s\n{result.stdout.strip()}", flush=True)
            if result.returncode != 0:
                print(result.stderr.strip(), file=sys.stderr)
                failed.append(name)
            elif not options.small and name not in RACES:
                (FIGURES / Path(name).with_suffix(".txt")).write_text(_without_paths(result.stdout))
    if failed:
        sys.exit(f"\nfailed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
