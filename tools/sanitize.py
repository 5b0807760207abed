"""Runs the native code under Clang's sanitizers, each of which is first shown a fault that it must report.

`address` runs tests in the extension built with AddressSanitizer and UndefinedBehaviorSanitizer; it takes pytest's arguments.
`thread` runs a program of the C interface, tools/sanitize/threads.cpp, under ThreadSanitizer with Clang's OpenMP.
"""

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "sanitize"
# What works in memory and in threads. Not test_environment.py: Clang's OpenMP ends a process over text that GNU's ignores.
TESTS = [
    "bad_groups",
    "bad_input",
    "bad_pointers",
    "bad_step_options",
    "borrowed_memory",
    "c_interface",
    "c_tensors",
    "checkpoint",
    "concurrency",
    "copies",
    "cpu_backend",
    "crafted_files",
    "flat",
    "float_env",
    "foreign_errors",
    "gradients",
    "groups",
    "interrupts",
    "nonfinite",
    "norm",
    "parity",
    "process_end",
    "replaced_params",
    "resized_memory",
    "rules",
    "saved_files",
    "smoke",
    "state_dict",
    "torch",
    "turns",
]
# A step of arrays of one element that says that they have more.
OVERFLOW = """
import ctypes, numpy, sys
sys.path.insert(0, "tests")
from c_interface import FLOATS, Rule, address, api
arrays = [numpy.ones(n, numpy.float32) for n in (1000, 1, 1000, 1000)]
rule = Rule("adam", {"lr": 0.1, "beta1": 0.9, "beta2": 0.9, "eps": 0.1, "weight_decay": 0.0})
memory = (FLOATS * 2)(*map(address, arrays[2:]))
api.rule_step(rule.pointer, *map(address, arrays[:2]), memory, 1000, 1, 1)
"""


def run(*command: object, env: dict[str, str] | None = None, expected: str = "") -> None:
    """Run a command, which must succeed, or fail and write `expected`."""
    result = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=os.environ | (env or {}),
        text=True,
        stderr=subprocess.PIPE if expected else None,
    )
    if expected and (result.returncode == 0 or expected not in result.stderr):
        sys.exit(f"{command[0]} did not report a fault on purpose; found {result.stderr!r}, expected {expected!r}")
    if not expected and result.returncode != 0:
        sys.exit(result.returncode)


def output(*command: str) -> str:
    return subprocess.check_output(command, text=True).strip()


def address(pytest_arguments: list[str]) -> None:
    """Build the extension and run tests in it, in a Python that has loaded AddressSanitizer first."""
    site, build = BUILD / "site", BUILD / "address"
    options = [
        f"build-dir={build}",
        "cmake.define.CMAKE_DISABLE_FIND_PACKAGE_Cython=ON",
        "cmake.define.FASTADAM_SANITIZE=address,undefined",
    ]
    options += [
        "cmake.define.CMAKE_C_COMPILER=clang",
        "cmake.define.CMAKE_CXX_COMPILER=clang++",
        "cmake.define.FASTADAM_OPENMP=ON",
    ]
    options += ["cmake.define.CMAKE_MODULE_LINKER_FLAGS=-shared-libasan"]
    flags = [part for option in options for part in ("-C", option)]
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", site, *flags, ".")
    runtime = f"libclang_rt.asan-{platform.machine()}.so"
    environment = {
        "PYTHONPATH": str(site),
        # C++'s library too, whose exceptions AddressSanitizer follows only if it is there from the beginning.
        "LD_PRELOAD": " ".join(output("clang++", f"-print-file-name={name}") for name in (runtime, "libstdc++.so.6")),
        # Python keeps memory until its process ends, which would be reported. Tests ask for more memory than there is, and
        # free much, of which the last 64 MB stay watched.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=64",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",  # so that each object has memory of its own
        "OMP_WAIT_POLICY": "passive",
    }
    run(sys.executable, "-P", "-c", OVERFLOW, env=environment, expected="heap-buffer-overflow")
    run(sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *pytest_arguments, env=environment)


def thread() -> None:
    """Build the program with Clang and run it with Archer, which tells ThreadSanitizer what OpenMP synchronizes."""
    build = BUILD / "thread"
    compilers = ["-DCMAKE_C_COMPILER=clang", "-DCMAKE_CXX_COMPILER=clang++"]
    run("cmake", "-S", ROOT / "tools/sanitize", "-B", build, *compilers, "-DFASTADAM_OPENMP=ON", "-DFASTADAM_SANITIZE=thread")
    run("cmake", "--build", build, "--parallel", "2")
    archer = Path(output("clang++", "-print-resource-dir")).parents[1] / "libarcher.so"
    environment = {
        "OMP_TOOL_LIBRARIES": str(archer),
        "OMP_WAIT_POLICY": "passive",
        # OpenMP's library was compiled without ThreadSanitizer, which cannot tell how its parts synchronize.
        "TSAN_OPTIONS": "ignore_noninstrumented_modules=1:halt_on_error=1",
    }
    if not archer.exists():
        sys.exit(f"{archer} is missing; install Clang's OpenMP library (Debian: libomp-dev)")
    run(build / "threads", "race", env=environment, expected="data race")
    run(build / "threads", env=environment)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sanitizer", choices=["address", "thread"])
    arguments, pytest_arguments = parser.parse_known_args()
    if arguments.sanitizer == "thread":
        thread()
    else:
        tests = [ROOT / "tests" / f"test_{name}.py" for name in TESTS]
        address(pytest_arguments if any(map(os.path.exists, pytest_arguments)) else [*map(str, tests), *pytest_arguments])


if __name__ == "__main__":
    main()
