"""The GPU's benchmark, as far as it runs without one: it must not rot between the days when there is one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("cupy", reason="needs CuPy, though no GPU: pip install cupy-cuda13x")
pytest.importorskip("matplotlib", reason="needs matplotlib, which draws the benchmark's figure")

PROGRAM = Path(__file__).with_name("bench_cuda_on_host.py")
ROOT = PROGRAM.parents[1]


@pytest.mark.skipif(not (ROOT / "bench").exists(), reason="needs the source tree")
def test_each_contender_gives_the_right_answer():
    folders = [str(ROOT / "bench" / "cuda"), str(ROOT / "bench"), str(PROGRAM.parent)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [*folders, os.environ.get("PYTHONPATH")]))}
    result = subprocess.run([sys.executable, "-P", str(PROGRAM)], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "measured\n"
