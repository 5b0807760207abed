"""Builds wheels for this machine's CPython versions from a source distribution, and tests each as a user would install it.

`python tools/wheels.py build` fills dist/; `test` and `emulate` take pytest's arguments. `--pythons 3.11,3.12` are the versions
to build and test for; by default all that are installed.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST, BUILD = ROOT / "dist", ROOT / "build" / "wheels"
# The tests' dependencies: all peers, or where torch has no build without CUDA, the minimum.
TEST_GROUPS = {"3.11": "test", "3.12": "test-wheel", "3.13": "test-wheel"}
MOST_BYTES = 2_300_000  # of a wheel, a quarter of which is the library for programs without Python


def run(*command: object, **options: object) -> None:
    subprocess.run([str(part) for part in command], check=True, **options)


def find_interpreter(version: str) -> Path | None:
    """A working CPython of this version, on PATH or of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    on_path = shutil.which(f"python{version}")
    for candidate in filter(None, [on_path, *sorted(pyenv.glob(f"versions/{version}.*/bin/python"))]):
        if subprocess.run([candidate, "-c", ""], capture_output=True).returncode == 0:
            return Path(candidate)
    return None


def interpreters(wanted: Iterable[str]) -> dict[str, Path]:
    """The interpreters of this machine; prints those that are missing."""
    found = {version: find_interpreter(version) for version in wanted}
    if missing := [version for version, path in found.items() if path is None]:
        print(f"No CPython {', '.join(missing)} on this machine: no wheel for it.", flush=True)
    return {version: path for version, path in found.items() if path}


def build(wanted: Iterable[str]) -> None:
    """A source distribution, and a manylinux wheel made from it for each interpreter."""
    for folder in (DIST, BUILD):
        shutil.rmtree(folder, ignore_errors=True)
    run(sys.executable, "-m", "build", "--sdist", "--outdir", DIST, ROOT)
    (sdist,) = DIST.glob("*.tar.gz")
    with tempfile.TemporaryDirectory() as unpacked:
        with tarfile.open(sdist) as archive:
            archive.extractall(unpacked, filter="data")
        for version, python in interpreters(wanted).items():
            raw = BUILD / version
            run(python, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", raw, Path(unpacked, sdist.name[: -len(".tar.gz")]))
            (wheel,) = raw.glob("*.whl")
            # Bundles the OpenMP library under a unique name, so that it need not be installed and conflicts with no other.
            run(sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", DIST, wheel)
    for wheel in sorted(DIST.glob("*.whl")):
        check_contents(wheel)


def check_contents(wheel: Path) -> None:
    """List the contents of a wheel, which must be only the package, and small."""
    size = wheel.stat().st_size
    with zipfile.ZipFile(wheel) as archive:
        members = archive.infolist()
    print(f"\n{wheel.name}: {size:,} bytes, {len(members)} files")
    for member in members:
        print(f"  {member.file_size:>9,}  {member.filename}")
    strangers = [m.filename for m in members if not m.filename.startswith(("fastadam/", "fastadam.libs/", "fastadam-"))]
    assert not strangers, f"{strangers} should not be in the wheel"
    bundled = [m.filename for m in members if m.filename.startswith("fastadam.libs/") and not m.is_dir()]
    names = {m.filename.rpartition("/")[2] for m in members if ".dist-info/" in m.filename}
    assert all("libgomp" in name for name in bundled), f"{bundled}: expected libgomp alone, whose licence is in licenses/"
    assert not bundled or {"GPL-3.0.txt", "GCC-exception-3.1.txt", "README.md"} <= names, "the licence of libgomp is missing"
    assert size <= MOST_BYTES, f"{wheel.name} has {size:,} bytes; expected at most {MOST_BYTES:,}"


def test(wanted: Iterable[str], pytest_arguments: list[str]) -> None:
    """Run the tests against each wheel, using this machine's instruction sets in turn."""
    for k, (version, python) in enumerate(interpreters(wanted).items()):
        with installed(version, python, TEST_GROUPS[version]) as folder:
            info = subprocess.check_output([folder / "venv/bin/python", "-P", "-m", "fastadam", "info", "--json"], cwd=folder)
            isas = json.loads(info)["available_isas"]
            os.environ["FASTADAM_ISA"] = isas[k % len(isas)]
            run_tests(folder, [], ["-n", "auto", *pytest_arguments])


def emulate(pytest_arguments: list[str]) -> None:
    """Run the tests against the wheel for this Python, on an emulated CPU of 2008 without AVX (Debian: qemu-user)."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    os.environ["OPENBLAS_CORETYPE"] = "Nehalem"  # NumPy's OpenBLAS does not detect it
    with installed(version, Path(sys.executable), "test-wheel") as folder:
        # In one process, since workers would start without the emulator.
        run_tests(folder, ["qemu-x86_64", "-cpu", "Nehalem"], [*pytest_arguments, "-n0"])


@contextlib.contextmanager
def installed(version: str, python: Path, group: str) -> Iterator[Path]:
    """A folder with the tests and a new environment `venv`, in which a wheel and a dependency group are installed."""
    (wheel,) = DIST.glob(f"*-cp{version.replace('.', '')}-*.whl")
    print(f"\n== CPython {version}: {wheel.name}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        run(python, "-m", "venv", f"{folder}/venv")
        pip = [f"{folder}/venv/bin/python", "-m", "pip", "install", "--quiet"]
        run(*pip, "--upgrade", "pip>=25.1")
        run(*pip, "--group", f"{ROOT / 'pyproject.toml'}:{group}", wheel)
        shutil.copytree(ROOT / "tests", f"{folder}/tests", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)  # pytest's options
        yield Path(folder)


def run_tests(folder: Path, emulator: list[str], pytest_arguments: list[str]) -> None:
    """Run pytest without a compiler on PATH."""
    command = [*(shutil.which(part) or part for part in emulator), folder / "venv/bin/python", "-P", "-m"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PATH"] = str(folder / "venv/bin")
    if emulator:
        environment["FASTADAM_TEST_EMULATOR"] = " ".join(map(str, command[: len(emulator)]))
    run(*command, "fastadam", "info", cwd=folder, env=environment)
    run(*command, "pytest", *pytest_arguments, cwd=folder, env=environment)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["build", "test", "emulate"])
    parser.add_argument("--pythons", type=lambda text: text.split(","), default=[*TEST_GROUPS])
    arguments, pytest_arguments = parser.parse_known_args()
    if unknown := [version for version in arguments.pythons if version not in TEST_GROUPS]:
        parser.error(f"argument --pythons: found {unknown}; expected versions among {[*TEST_GROUPS]}, with commas between them")
    match arguments.command:
        case "build":
            build(arguments.pythons)
        case "test":
            test(arguments.pythons, pytest_arguments)
        case "emulate":
            emulate(pytest_arguments)


if __name__ == "__main__":
    main()
