"""The option that makes an unexpected skip a failure (skips.py), which the other tests would not miss."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WHOLE_MODULE = 'import pytest\npytest.skip("a new reason", allow_module_level=True)\n'
ONE_TEST = "import pytest\ndef test_one(): pytest.skip({!r})\ndef test_other(): pass\n"


@pytest.mark.parametrize(
    ("program", "options", "fails"),
    [
        (ONE_TEST.format("a new reason"), [], False),
        (ONE_TEST.format("a new reason"), ["--strict-skips"], True),
        (ONE_TEST.format("needs a GPU: none is here"), ["--strict-skips"], False),
        (WHOLE_MODULE + "def test_it(): pass\n", ["--strict-skips", "-p", "xdist", "-n", "1"], True),
    ],
    ids=["not strict", "strict", "listed", "whole module"],
)
def test_an_unexpected_skip_is_a_failure(tmp_path, program, options, fails):
    if "xdist" in options:
        pytest.importorskip("xdist")
    (tmp_path / "test_it.py").write_text(program)
    (tmp_path / "test_good.py").write_text("def test_good(): pass\n")
    command = [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", "-p", "skips", *options, tmp_path]
    environ = os.environ | {
        "PYTHONPATH": str(Path(__file__).parent),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "",
    }
    result = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert result.returncode == fails, result.stdout + result.stderr
    assert ("tests/skips.py does not list" in result.stdout) == fails
