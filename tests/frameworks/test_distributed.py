"""ZeroRedundancyOptimizer, FSDP2 and distributed checkpoints, on two processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")
from frameworks import two_processes

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What went wrong in each case, in each process."""
    folder = tmp_path_factory.mktemp("processes")
    paths = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, two_processes.__file__, str(folder)]
    ranks, env = range(two_processes.PROCESSES), os.environ | {"PYTHONPATH": paths}
    if sys.platform == "linux":
        env["GLOO_SOCKET_IFNAME"] = "lo"  # whatever networks there are
    started = [subprocess.Popen([*command, str(rank)], env=env, stderr=subprocess.PIPE, text=True) for rank in ranks]
    try:
        said = [process.communicate(timeout=300)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0] * len(started), "\n".join(said)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in ranks]


@pytest.mark.parametrize("case", [case.__name__ for case in two_processes.CASES])
def test_two_processes(case, outcomes):
    assert [found[case] for found in outcomes] == [""] * two_processes.PROCESSES
