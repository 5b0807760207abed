"""The library and the program of tests/vectors, compiled from the source tree for this machine or by a cross compiler."""

import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "vectors"
CROSS = {"aarch64": ["-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64"]}


@dataclass
class NativeBuild:
    folder: Path
    prefix: str  # of the names of the machine's tools


def build(machine, folder):
    """A build for "x86_64" or "aarch64"; skips a test that cannot have one."""
    is_native = platform.machine().replace("AMD64", "x86_64") == machine
    prefix = "" if is_native else f"{machine}-linux-gnu-"
    tools = ["cmake", f"{prefix}gcc", f"{prefix}g++"]
    if not is_native and machine not in CROSS:
        pytest.skip(f"needs a machine of {machine}")
    if not all(map(shutil.which, tools)) or not (SOURCE.parents[1] / "CMakeLists.txt").exists():
        pytest.skip(f"needs the source tree, {', '.join(tools)}")
    configure = ["cmake", "-S", SOURCE, "-B", folder, f"-DCMAKE_C_COMPILER={tools[1]}", f"-DCMAKE_CXX_COMPILER={tools[2]}"]
    configure += ["-DCMAKE_BUILD_TYPE=Release", "-DFASTADAM_WERROR=ON", *([] if is_native else CROSS[machine])]
    for command in (configure, ["cmake", "--build", folder, "--parallel", "2"]):
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
    return NativeBuild(folder, prefix)
