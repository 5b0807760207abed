"""Breaks the code in one small way at a time, and reports which of these mutants the tests do not notice.

`python tools/mutate.py` runs all mutants of tools/mutants/*.toml, where a mutant is

    [[mutant]]
    name = "what is broken"
    file = "csrc/rules/adam.hpp"     # relative to the root of the tree
    old = "text that occurs once"
    new = "its replacement"
    tests = ["tests/test_parity.py"] # arguments of pytest: the tests likely to notice
    survives = "why"                 # only if no test is expected to notice

Only a copy of the tree, in build/mutants/, is changed, by one run at a time. The native module is rebuilt there when its
sources have changed. A test that fails, crashes or hangs catches the mutant. The program fails unless each mutant is caught or
says why it survives. `--list` shows the mutants, `--only TEXT` selects those with this text in their names or files, and
`--all` runs the whole suite on those that the likely tests miss.
"""

import argparse
import filecmp
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
Mutant = dict[str, Any]
NATIVE = ("csrc/", "CMakeLists.txt", "fastadam/cython_optim.")


class Copy:
    """A copy of a source tree, in which the package runs."""

    def __init__(self, source: Path) -> None:
        self.source, self.tree, self.build_folder = source, source / "build/mutants/tree", source / "build/mutants/native"
        self.built: dict[str, bytes] | None = None  # the sources of the native module
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=source, check=True, capture_output=True
        )
        names = {name for name in listed.stdout.decode().split("\0") if name and (source / name).is_file()}
        self.native = sorted(name for name in names if name.startswith(NATIVE))
        for old in [path for path in self.tree.rglob("*") if path.is_file() or path.is_symlink()]:
            if str(old.relative_to(self.tree)) not in names and old.suffix not in (".so", ".pyd"):
                old.unlink()
        for name in names:  # unchanged files keep their dates, so that little is compiled
            to = self.tree / name
            if not to.exists() or not filecmp.cmp(source / name, to, shallow=False):
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source / name, to)

    def build(self) -> str:
        """Build the native module if its sources have changed; returns the compiler's output if that fails."""
        sources = {name: (self.tree / name).read_bytes() for name in self.native}
        if sources == self.built:
            return ""
        self.built = None
        if not (self.build_folder / "CMakeCache.txt").exists():
            import pybind11

            (cython,) = importlib.util.find_spec("cython_cmake").submodule_search_locations
            found = {"Python_EXECUTABLE": sys.executable, "pybind11_DIR": pybind11.get_cmake_dir()}
            found |= {"CMAKE_MODULE_PATH": f"{cython}/cmake", "CMAKE_BUILD_TYPE": "Release"}
            options = [f"-D{name}={value}" for name, value in found.items()]
            subprocess.run(["cmake", "-S", self.tree, "-B", self.build_folder, *options], check=True, stdout=subprocess.DEVNULL)
        result = subprocess.run(
            ["cmake", "--build", self.build_folder, "--parallel", str(os.cpu_count())], capture_output=True, text=True
        )
        if result.returncode:
            return result.stdout + result.stderr
        # The modules, and what CuPy compiles and other programs are built with.
        install = ["cmake", "--install", self.build_folder, "--prefix", self.tree]
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
        self.built = sources
        return ""

    def test(self, arguments: Sequence[str], timeout: float) -> str:
        """Run pytest up to the first failure; returns what failed, or nothing if all passed."""
        environ = os.environ | {"PYTHONPATH": str(self.tree), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-P", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *arguments]
        process = subprocess.Popen(
            command,
            cwd=self.tree,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output = process.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return f"no end after {timeout:g} s"
        if process.returncode in (4, 5):
            raise SystemExit(f"{' '.join(arguments)} are no tests:\n{output}")
        failures = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        crash = f"ended with {process.returncode}" if process.returncode else ""
        return failures[0].split(" - ")[0] if failures else crash

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[bool]:
        """A context in which a file of the copy is changed; yields False if that is impossible."""
        file = self.tree / mutant["file"]
        text = file.read_text() if file.exists() else ""
        if applies := text.count(mutant["old"]) == 1 and mutant["new"] != mutant["old"]:
            file.write_text(text.replace(mutant["old"], mutant["new"]))
        try:
            yield applies
        finally:
            if applies:
                file.write_text(text)


def judge(copy: Copy, mutant: Mutant, everything: bool, timeout: float) -> tuple[str, str]:
    """The outcome of a mutant, and its cause."""
    with copy.mutated(mutant) as applies:
        if not applies:
            return "did not apply", "its old text is not there once"
        if errors := copy.build():
            return "did not build", next((line for line in errors.splitlines() if "error" in line), "")
        failure = copy.test(mutant["tests"], timeout)
        if not failure and everything:
            failure = copy.test(["-n", "auto", "--dist", "loadgroup"], 20 * timeout)
    return ("caught", failure) if failure else ("survived", mutant.get("survives", ""))


def is_fine(outcome: str, mutant: Mutant) -> bool:
    return outcome == ("survived" if "survives" in mutant else "caught")


def read(files: Sequence[Path]) -> list[Mutant]:
    mutants = [mutant for file in files for mutant in tomllib.loads(file.read_text())["mutant"]]
    assert len({mutant["name"] for mutant in mutants}) == len(mutants), "two mutants have one name"
    return mutants


def unmutated(mutants: Sequence[Mutant]) -> Iterator[list[str]]:
    """The likely tests of all mutants, in as few runs as their options allow."""
    runs = {tuple(mutant["tests"]) for mutant in mutants}
    if files := {test for run in runs for test in run if "-k" not in run}:
        yield sorted(files)
    yield from sorted([*run] for run in runs if "-k" in run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="show the mutants, and run nothing")
    parser.add_argument("--only", default="", metavar="TEXT", help="those with this text in their name or file")
    parser.add_argument("--all", action="store_true", help="if the likely tests pass, run all others too")
    parser.add_argument("--timeout", type=float, default=300, metavar="SECONDS", help="of the likely tests (%(default)g)")
    parser.add_argument("--tree", type=Path, default=ROOT, metavar="FOLDER", help="another source tree, with its own tests")
    parser.add_argument("files", nargs="*", type=Path, help="lists of mutants, in place of tools/mutants/*.toml")
    arguments = parser.parse_args()
    mutants = read(arguments.files or sorted((ROOT / "tools/mutants").glob("*.toml")))
    mutants = [mutant for mutant in mutants if arguments.only in f"{mutant['name']} {mutant['file']}"]
    mutants.sort(
        key=lambda mutant: not mutant["file"].startswith(NATIVE)
    )  # a stable sort: native ones first, one after the other
    if arguments.list:
        for mutant in mutants:
            print(f"{mutant['file']}: {mutant['name']}")
        return
    copy = Copy(arguments.tree.resolve())
    if errors := copy.build():
        raise SystemExit(errors)
    for tests in unmutated(mutants):
        if failure := copy.test(tests, len(mutants) * arguments.timeout):
            raise SystemExit(f"without a mutant: {failure}")
    rows = []
    for mutant in mutants:
        start = time.monotonic()
        outcome, by = judge(copy, mutant, arguments.all, arguments.timeout)
        rows.append((outcome, mutant, by))
        print(f"{outcome:13}  {mutant['name']} ({time.monotonic() - start:.0f} s)", flush=True)
    print()
    for outcome, mutant, by in sorted(rows, key=lambda row: row[0]):
        print(f"{'  ' if is_fine(outcome, mutant) else '! '}{outcome:13}  {mutant['name']:58}  {by}")
    wrong = sum(not is_fine(outcome, mutant) for outcome, mutant, _ in rows)
    print(f"\n{len(rows)} mutants, {sum(row[0] == 'caught' for row in rows)} caught, {wrong} not as expected")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
