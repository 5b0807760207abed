"""Whatever fails in an operation, and at whichever point: nothing has changed, and the operation works when it is tried again.

The 1st, 2nd, 3rd, ... allocation, thread or file call of each operation is made to fail, alone and with all that follow, until
the operation has no more (faults/faults.cpp). Here some of them; with FASTADAM_TEST_FAULTS=all, as `make faults` runs it, each.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastadam

HERE = Path(__file__).parent
# Of the failures of each kind, every so manyth.
STRIDES = {"python": 67, "native": 7, "thread": 1, "file": 1}

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or not shutil.which("g++"), reason="needs Linux, glibc and g++"),
    pytest.mark.skipif("FASTADAM_TEST_EMULATOR" in os.environ, reason="the library would be the emulator's"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    command = ["g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library]
    result = subprocess.run([*command, HERE / "faults" / "faults.cpp", "-ldl"], capture_output=True, text=True)
    if "__libc_malloc" in result.stderr:
        pytest.skip("needs Linux, glibc and g++")
    assert result.returncode == 0, result.stderr
    return library


@pytest.mark.parametrize("kind", STRIDES)
def test_a_failure_changes_nothing(library, kind):
    if kind == "thread" and fastadam.build_info()["openmp"] == "none":
        pytest.skip("this build has no OpenMP")
    stride = 1 if os.environ.get("FASTADAM_TEST_FAULTS") == "all" else STRIDES[kind]
    search = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    environ = os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": search, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-P", HERE / "faults" / "explore.py", kind, str(stride)]
    result = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=3600)
    assert result.returncode == 0, result.stdout + result.stderr
