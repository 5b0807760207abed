"""The program in examples/ that races over its own function, the one on the site, and the names that the site lists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastadam.viz

ROOT = Path(__file__).parents[1]
PROGRAM, GUIDE = ROOT / "examples" / "race.py", ROOT / "docs" / "race.md"

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="needs the source tree")


def test_program(tmp_path):
    pytest.importorskip("matplotlib")
    command = [sys.executable, str(PROGRAM), "--output", str(tmp_path / "race.png")]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (tmp_path / "race.png").exists()
    assert "near the global minimum" in output
    assert "near a local minimum" in output


def test_program_of_the_site(run_python, tmp_path):
    pytest.importorskip("plotly")
    (program,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert run_python(f"import os; os.chdir({str(tmp_path)!r})\n{program}").startswith("[")
    assert (tmp_path / "race.html").exists()


@pytest.mark.parametrize("name", fastadam.viz.__all__)
def test_public_names_are_documented(name):
    assert getattr(fastadam.viz, name).__doc__
    assert re.search(rf":: {name}$", (GUIDE.with_name("api.rst")).read_text(), re.MULTILINE)
