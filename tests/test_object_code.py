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
FUSED = r"\bvfn?m(add|sub)|\bfn?m(add|sub|la|ls)\b"


def x86(prefix, register):
    """How a packed operation of a tier's full vector width looks, by its name there."""
    return {name: rf"\b{prefix}{name}\b.*%{register}" for name in ("mulps", "sqrtps", "divps", "mulpd", "addpd")}


PACKED = {
    "x86_64": x86("", "xmm"),
    "x86_64_v3": x86("v", "ymm"),
    "x86_64_v4": x86("v", "zmm"),
    "aarch64": {
        "mulps": r"\bfmul\b.*v\d+\.4s",
        "sqrtps": r"\bfsqrt\b.*v\d+\.4s",
        "divps": r"\bfdiv\b.*v\d+\.4s",
        "mulpd": r"\bfmul\b.*v\d+\.2d",
        "addpd": r"\bfadd\b.*v\d+\.2d",
    },
}
# Rules that have no square roots, and no divisions.
NO_ROOT, NO_DIVISION = {"SGD", "Lion", "Adamax"}, {"SGD", "Lion"}
# What the loops have that are no rules.
OTHER_LOOPS = {
    "transform_loop": {"mulps"},
    "average_loop": {"mulps"},
    "sum_loop<float>": {"mulpd", "addpd"},
    "sum_loop<double>": {"addpd"},
}

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
    """The disassembly of each loop function of a tier object, by its name."""
    listing = subprocess.run(
        [objdump, "--disassemble", "--demangle", "--no-show-raw-insn", path], capture_output=True, text=True
    )
    functions = re.split(r"\n(?=[0-9a-f]+ <)", listing.stdout)
    names = (re.search(r"::(\w*loop(?:<.*>)?)\(", text.partition("\n")[0]) for text in functions)
    return {name[1]: text for name, text in zip(names, functions, strict=True) if name}


def expected_operations(name):
    """The packed operations of a loop function."""
    if name in OTHER_LOOPS:
        return OTHER_LOOPS[name]
    rule = re.search(r"::(\w+), ", name)[1]
    return {"mulps"} | (set() if rule in NO_ROOT else {"sqrtps"}) | (set() if rule in NO_DIVISION else {"divps"})


def symbols(nm, path):
    """(type, name) of the defined symbols that a linker sees."""
    listing = subprocess.run([nm, "--extern-only", "--defined-only", path], capture_output=True, text=True)
    return [tuple(line.split()[-2:]) for line in listing.stdout.splitlines()]


def assert_tier(path, tier, prefix):
    functions = loops(f"{prefix}objdump", path)
    assert functions.keys() >= OTHER_LOOPS.keys()
    assert len(functions) == sum(_native.cuda_variants().values()) + len(OTHER_LOOPS)
    for name, function in functions.items():
        for operation in expected_operations(name):
            assert re.search(PACKED[tier][operation], function), f"{name} has no packed {operation}"
        assert not re.search(FUSED, function), f"{name} has a fused multiply-add"
    assert symbols(f"{prefix}nm", path) == [("T", f"fastadam_tier_{tier}")]


@needs_source
@pytest.mark.parametrize("tier", [tier for tier in PACKED if tier.startswith("x86")])
def test_x86_tier(x86_objects, tier):
    assert_tier(x86_objects[f"fastadam_tier_{tier}"], tier, "")


@needs_source
def test_aarch64_tier(aarch64_objects):
    assert_tier(aarch64_objects["fastadam_tier_aarch64"], "aarch64", "aarch64-linux-gnu-")
