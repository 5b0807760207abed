"""The compiled tiers: each loop is vectorized, nothing is contracted, and no object shares code with another.

The objects are compiled anew from the source tree, with the project's own CMake file.
"""

import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fastadam import _native

ROOT = Path(__file__).parents[1]
# Tier: packed multiplication, square root and division of its full vector width, and what a fused multiply-add looks like.
X86 = {
    "x86_64": (r"\bmulps\b.*%xmm", r"\bsqrtps\b.*%xmm", r"\bdivps\b.*%xmm", r"\bvfn?m(add|sub)"),
    "x86_64_v3": (r"\bvmulps\b.*%ymm", r"\bvsqrtps\b.*%ymm", r"\bvdivps\b.*%ymm", r"\bvfn?m(add|sub)"),
    "x86_64_v4": (r"\bvmulps\b.*%zmm", r"\bvsqrtps\b.*%zmm", r"\bvdivps\b.*%zmm", r"\bvfn?m(add|sub)"),
}
AARCH64 = {"aarch64": (r"\bfmul\b.*v\d+\.4s", r"\bfsqrt\b.*v\d+\.4s", r"\bfdiv\b.*v\d+\.4s", r"\bfn?m(add|sub|la|ls)\b")}
# Rules that have no square roots, and no divisions.
NO_ROOT, NO_DIVISION = {"SGD", "Lion", "Adamax"}, {"SGD", "Lion"}

needs_source = pytest.mark.skipif(
    not (ROOT / "csrc").is_dir() or not shutil.which("cmake"), reason="needs the source tree and cmake"
)


def build_objects(folder, machine, prefix, *definitions):
    """Compiles the tiers and the rest of the native code for `machine`; the objects, by target."""
    compiler = shutil.which(f"{prefix}g++")
    if not compiler or not shutil.which(f"{prefix}objdump"):
        pytest.skip(f"needs {prefix}g++ and {prefix}objdump")
    cmake = ["cmake", "-S", ROOT, "-B", folder, f"-DCMAKE_CXX_COMPILER={compiler}", "-DFASTADAM_PYTHON=OFF"]
    cmake += ["-DCMAKE_BUILD_TYPE=Release", "-DFASTADAM_WERROR=ON", *definitions]
    for command in (cmake, ["cmake", "--build", folder, "--parallel", "2"]):
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
    return {path.parts[-4].removesuffix(".dir"): path for path in Path(folder).rglob("tier.cpp.o")}


@pytest.fixture(scope="session")
def x86_objects(tmp_path_factory):
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("needs an x86-64 machine")
    return build_objects(tmp_path_factory.mktemp("x86-64"), "x86_64", "")


@pytest.fixture(scope="session")
def aarch64_objects(tmp_path_factory):
    cross = ("-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64")
    return build_objects(tmp_path_factory.mktemp("aarch64"), "aarch64", "aarch64-linux-gnu-", *cross)


def loops(objdump, path):
    """The disassembly of each loop function of a tier object."""
    listing = subprocess.run(
        [objdump, "--disassemble", "--demangle", "--no-show-raw-insn", path], capture_output=True, text=True
    )
    functions = re.split(r"\n(?=[0-9a-f]+ <)", listing.stdout)
    return [text for text in functions if "::loop<" in text.partition("\n")[0]]


def symbols(nm, path):
    """(type, name) of the defined symbols that a linker sees."""
    listing = subprocess.run([nm, "--extern-only", "--defined-only", path], capture_output=True, text=True)
    return [tuple(line.split()[-2:]) for line in listing.stdout.splitlines()]


def assert_tier(path, tier, prefix, multiplication, square_root, division, fused):
    functions = loops(f"{prefix}objdump", path)
    assert len(functions) == sum(_native.cuda_variants().values())
    for function in functions:
        name = function.partition("\n")[0]
        rule = re.search(r"::(\w+), ", name)[1]
        assert re.search(multiplication, function), f"{name} has no packed multiplication"
        assert re.search(square_root, function) or rule in NO_ROOT, f"{name} has no packed square root"
        assert re.search(division, function) or rule in NO_DIVISION, f"{name} has no packed division"
        assert not re.search(fused, function), f"{name} has a fused multiply-add"
    assert symbols(f"{prefix}nm", path) == [("T", f"fastadam_tier_{tier}")]


@needs_source
@pytest.mark.parametrize("tier", X86)
def test_x86_tier(x86_objects, tier):
    assert_tier(x86_objects[f"fastadam_tier_{tier}"], tier, "", *X86[tier])


@needs_source
def test_aarch64_tier(aarch64_objects):
    assert_tier(aarch64_objects["fastadam_tier_aarch64"], "aarch64", "aarch64-linux-gnu-", *AARCH64["aarch64"])
