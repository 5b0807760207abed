"""The option that makes an unexpected skip a failure (skips.py), which the other tests would not miss."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ONE = "import pytest\ndef test_one(): pytest.skip({!r})\ndef test_other(): pass\n"
WHOLE = "import pytest\npytest.skip({!r}, allow_module_level=True)\n"


@pytest.mark.parametrize(
    ("reason", "options", "fails"),
    [
        ("a new reason", [], False),
        ("needs a GPU: none is here", ["--strict-skips"], False),
        ("a new reason", ["--strict-skips", "-p", "xdist", "-n", "1"], True),
    ],
    ids=["not strict", "listed", "strict"],
)
def test_an_unexpected_skip_is_a_failure(tmp_path, reason, options, fails):
    if "xdist" in options:
        pytest.importorskip("xdist")
    (tmp_path / "test_one.py").write_text(ONE.format(reason))
    (tmp_path / "test_whole.py").write_text(WHOLE.format(reason))
    command = [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", "-p", "skips", *options, tmp_path]
    environ = os.environ | {
        "PYTHONPATH": str(Path(__file__).parent),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "",
    }
    result = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert result.returncode == fails, result.stdout + result.stderr
    for test in ("test_one.py::test_one", "test_whole.py"):
        assert (f"\n{test}: {reason}\n" in result.stdout) == fails
