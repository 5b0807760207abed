"""The script for a machine with a GPU prints its table last, whatever failed before. It runs too rarely to find out there."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from gpu import arrays

TOOL = Path(__file__).parents[1] / "tools" / "gpu.py"
pytestmark = pytest.mark.skipif(not TOOL.exists(), reason="needs the source tree")

TESTS = """\
F.s
=== short test summary info ===
SKIPPED [1] tests/conftest.py:40: needs two GPUs
FAILED tests/test_x.py::test_y[device-3] - assert 1 == 2
1 failed, 1 passed, 1 skipped in 3.21s
"""
BENCHMARK = """\
## Targets

| where | what                          | target | measured |             |
| ----- | ----------------------------- | ------ | -------: | ----------- |
| 1e3   | times faster than torch fused | ≥ 1    |     3.34 | reached     |
| 1e3   | µs of the host                | ≤ 12   |     24.8 | NOT REACHED |
"""


def tool():
    spec = importlib.util.spec_from_file_location("gpu_tool", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_a_stage_says():
    tests, benchmark = tool().of_tests, tool().of_benchmark
    assert tests(TESTS) == [
        "1 failed, 1 passed, 1 skipped in 3.21",
        "FAILED tests/test_x.py::test_y[device-3] - assert 1 == 2",
    ]
    assert tests("Segmentation fault\n\n") == ["Segmentation fault"]
    assert benchmark(BENCHMARK) == ["1 of 2 targets reached", "1e3 µs of the host ≤ 12 24.8"]
    assert benchmark("") == ["said nothing"]


@pytest.mark.skipif(not arrays.missing(), reason="there is a GPU, on which this would take minutes")
def test_without_a_gpu_each_stage_fails_and_the_table_says_so(tmp_path):
    command = [sys.executable, "-P", str(TOOL), "--output", str(tmp_path), "sanitizer", "bench"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1, result.stderr
    head, *lines = result.stdout.splitlines()
    assert head.split() == ["stage", "time", "result"]
    assert [line.split()[:2] for line in lines] == [["sanitizer", "FAILED"], ["bench", "FAILED"]]
    assert "skipped" in lines[0]
    assert "there is none to use" in lines[1]
    assert (tmp_path / "table.txt").read_text() == result.stdout
    assert "SKIPPED" in (tmp_path / "sanitizer.log").read_text()
