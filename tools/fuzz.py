"""Runs the fuzzers of tools/fuzz side by side: a fault ends a run, and leaves the input that shows it in build/fuzz/faults.

To see a fault again, pass its file with `--again`. Each run begins with the inputs in tools/fuzz/*.zip and adds to
build/fuzz/corpus those that reach new code; `--keep` writes the zip files anew, with the fewest inputs that reach all of it.
"""

import argparse
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE, BUILD = ROOT / "tools" / "fuzz", ROOT / "build" / "fuzz"
# The most bytes of an input.
FUZZERS = {"c_interface": 600, "checkpoint": 6000, "optimizers": 400}
# `undefined` has no float-divide-by-zero: kernels divide as IEEE 754 says.
SANITIZE = "-DFASTADAM_SANITIZE=fuzzer-no-link,address,undefined"
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "passive",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "ASAN_OPTIONS": "allocator_may_return_null=1",  # as without a sanitizer
}


def build() -> None:
    compilers = ["-DCMAKE_C_COMPILER=clang", "-DCMAKE_CXX_COMPILER=clang++"]
    for command in (
        ["cmake", "-S", SOURCE, "-B", BUILD / "c", *compilers, "-DFASTADAM_OPENMP=ON", SANITIZE],
        ["cmake", "--build", BUILD / "c", "--parallel", "2"],
    ):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def program(name: str) -> list[object]:
    """The command of a fuzzer, which takes libFuzzer's arguments."""
    return [BUILD / "c" / name] if name == "c_interface" else [sys.executable, "-P", SOURCE / f"{name}.py"]


def start(name: str, arguments: list[object]) -> subprocess.Popen[bytes]:
    with open(BUILD / f"{name}.log", "wb") as log:
        command = [str(part) for part in [*program(name), *arguments]]
        return subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | ENVIRONMENT)


def unpacked(name: str) -> Path:
    """The folder of a fuzzer's inputs, with those that were kept."""
    corpus = BUILD / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(SOURCE / f"{name}.zip") as archive:
        archive.extractall(corpus)
    return corpus


def keep(name: str) -> None:
    """Replace the inputs that are kept."""
    fewest = BUILD / "fewest" / name
    shutil.rmtree(fewest, ignore_errors=True)
    fewest.mkdir(parents=True)
    # Without counts of how often code is reached, which would keep five times as many.
    if start(name, ["-merge=1", "-use_counters=0", fewest, unpacked(name)]).wait() != 0:
        sys.exit(f"{name} failed; see {BUILD / name}.log")
    with zipfile.ZipFile(SOURCE / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(fewest.iterdir()):
            archive.writestr(zipfile.ZipInfo(path.name), path.read_bytes(), zipfile.ZIP_DEFLATED)
    print(f"{name}: {len([*fewest.iterdir()])} inputs")


def fuzz(names: list[str], seconds: int) -> bool:
    """Whether none of them has found a fault."""
    running = {}
    (BUILD / "faults").mkdir(parents=True, exist_ok=True)
    for name in names:
        options = [f"-max_total_time={seconds}" if seconds else "-runs=0"]
        options += [f"-max_len={FUZZERS[name]}", "-len_control=0", "-timeout=60"]
        options += [f"-artifact_prefix={BUILD / 'faults'}/{name}-", "-print_final_stats=1"]
        options += [f"-dict={words}" for words in SOURCE.glob(f"{name}.dict")]
        running[name] = start(name, [*options, unpacked(name)])
    faults = [name for name, process in running.items() if process.wait() != 0]
    for name in names:
        lines = (BUILD / f"{name}.log").read_text(errors="replace").splitlines()
        shown = [line for line in lines if line.startswith(("stat::number", "Done"))]
        shown += [line for line in lines if " cov: " in line][-1:]
        print(f"\n{name}:", *(lines[-60:] if name in faults else shown), sep="\n", flush=True)
    return not faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[*FUZZERS], help="default: all of " + ", ".join(FUZZERS))
    parser.add_argument("--seconds", type=int, default=300, help="0: only the inputs that were kept; default 300")
    parser.add_argument("--again", type=Path, help="run one input, of the one fuzzer that is named")
    parser.add_argument("--keep", action="store_true", help="keep the inputs that were found")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in FUZZERS]:
        parser.error(f"argument names: found {unknown}; expected some of {[*FUZZERS]}")
    if "c_interface" in arguments.names:
        build()
    if arguments.again:
        command = [str(part) for part in [*program(arguments.names[0]), arguments.again]]
        sys.exit(subprocess.run(command, env=os.environ | ENVIRONMENT).returncode)
    if arguments.keep:
        for name in arguments.names:
            keep(name)
    elif not fuzz(arguments.names, arguments.seconds):
        sys.exit(1)


if __name__ == "__main__":
    main()
