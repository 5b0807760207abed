"""NVIDIA's compute-sanitizer finds nothing: no access out of bounds or misaligned, no race, no read of what nobody wrote."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.gpu

PROGRAM = Path(__file__).with_name("sanitized_steps.py")
FOUND = 99  # exit status
TOOLS = {
    # Calls that fail are not looked at: CuPy asks the driver for things that it may not have.
    "memcheck": ["--report-api-errors", "no"],
    "racecheck": [],
    "initcheck": [],
}


def sanitizer():
    """The program: on the PATH, where CUDA is usually installed, or in NVIDIA's wheels."""
    spec = importlib.util.find_spec("nvidia")
    places = [Path("/usr/local/cuda/bin"), Path("/usr/local/cuda/compute-sanitizer")]
    places += [found for folder in (spec.submodule_search_locations if spec else []) for found in Path(folder).glob("*/bin")]
    paths = [shutil.which("compute-sanitizer"), *(shutil.which("compute-sanitizer", path=str(place)) for place in places)]
    return next(filter(None, paths), None)


@pytest.mark.parametrize("tool", TOOLS)
def test_nothing_is_found(tool):
    program = sanitizer()
    if program is None:
        pytest.skip("needs compute-sanitizer")
    result = subprocess.run(
        [program, "--tool", tool, "--error-exitcode", str(FOUND), *TOOLS[tool], sys.executable, "-P", str(PROGRAM)],
        capture_output=True,
        text=True,
        timeout=900,
    )
    output = result.stdout + result.stderr
    if "Device not supported" in output:
        pytest.skip("compute-sanitizer does not support this GPU or this kind of virtual machine")
    assert result.returncode == 0, output
    assert "stepped" in output
    assert "0 errors" in output or "0 hazards" in output, output
