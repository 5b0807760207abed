"""Run every program of the gallery, as many at once as there are CPUs, and write their figures to build/gallery/."""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastadam.cpus import usable_cpus

HERE = Path(__file__).parent
PROGRAMS = sorted([*HERE.glob("paper_*.py"), *HERE.glob("fails_*.py"), *HERE.glob("claims.py")])
# Each program has a CPU of its own.
ONE_THREAD = {"FASTADAM_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def run(program: Path, options: list[str]) -> tuple[subprocess.CompletedProcess[str], float]:
    start = time.perf_counter()
    command = [sys.executable, str(program), *options]
    result = subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, text=True)
    return result, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="the versions of a few seconds, as in the tests")
    options = ["--small"] if parser.parse_args().small else []
    failed = []
    with ThreadPoolExecutor(usable_cpus()) as pool:
        for program, (result, seconds) in zip(PROGRAMS, pool.map(lambda each: run(each, options), PROGRAMS), strict=True):
            print(f"\n== {program.name}, {seconds:.0f} s\n{result.stdout.strip()}", flush=True)
            if result.returncode != 0:
                print(result.stderr.strip(), file=sys.stderr)
                failed.append(program.name)
    if failed:
        sys.exit(f"\nfailed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
