"""The compiled kernels of each instruction set: vectorized, nothing contracted, and no object shares code with another.

The objects are compiled anew from the source tree, with the project's own CMake file (native_builds.py).
"""

import re
import shutil
import subprocess

import pytest

from fastadam import _native

pytestmark = pytest.mark.xdist_group("native_build")  # which is made once

FUSED = r"\bvfn?m(add|sub)|\bfn?m(add|sub|la|ls)\b"


def x86(prefix, register):
    """How a packed operation of an instruction set's full vector width looks, by its name there."""
    names = [operation + kind for operation in ("add", "mul", "sqrt", "div") for kind in ("ps", "pd")]
    return {name: rf"\b{prefix}{name}\b.*%{register}" for name in names}


PACKED = {
    "x86_64": x86("", "xmm"),
    "x86_64_v3": x86("v", "ymm"),
    "x86_64_v4": x86("v", "zmm"),
    "aarch64": {
        operation + kind: rf"\bf{operation}\b.*v\d+\.{lanes}"
        for operation in ("add", "mul", "sqrt", "div")
        for kind, lanes in (("ps", "4s"), ("pd", "2d"))
    },
}
WIDE = {"x86_64": "%xmm", "x86_64_v3": "%ymm", "x86_64_v4": "%zmm", "aarch64": r"\bv\d+\.(4s|8h|16b)"}
CODECS = 12  # functions that decode or encode a tile
# Rules that have no square roots, and no divisions.
NO_ROOT, NO_DIVISION = {"SGD", "Lion", "Adamax", "Probe"}, {"SGD", "Lion", "Probe"}
MEMORY_WALL = "step_kernel<fastadam::(anonymous namespace)::MemoryWall<2>, 0u, false>"
PROBES = 1  # variants of the rule of tests/vectors/probe.hpp
# What the kernels have that are no rules.
OTHER_KERNELS = {
    "average_kernel": {"mul"},
    MEMORY_WALL: set(),
    "sum_kernel<fastadam::(anonymous namespace)::Squares>": {"mulpd", "addpd"},
    "sum_kernel<fastadam::(anonymous namespace)::Numbers>": {"addpd"},
}
KINDS = {"float32": "ps", "float64": "pd"}


def kernels(objdump, path, pattern=r"\w*_kernel(?:<.*>)?"):
    """The disassembly of each kernel of an object, by its name; or of other functions."""
    listing = subprocess.run(
        [objdump, "--disassemble", "--demangle", "--no-show-raw-insn", path], capture_output=True, text=True
    )
    functions = re.split(r"\n(?=[0-9a-f]+ <)", listing.stdout)
    names = (re.search(rf"::({pattern})\(", text.partition("\n")[0]) for text in functions)
    return {name[1]: text for name, text in zip(names, functions, strict=True) if name}


def expected_operations(name):
    """The packed operations of a kernel."""
    if name in OTHER_KERNELS:
        return OTHER_KERNELS[name]
    rule = re.search(r"::(\w+), ", name)[1]
    return {"mul"} | (set() if rule in NO_ROOT else {"sqrt"}) | (set() if rule in NO_DIVISION else {"div"})


def symbols(nm, path):
    """(type, name) of the defined symbols that a linker sees."""
    listing = subprocess.run([nm, "--extern-only", "--defined-only", path], capture_output=True, text=True)
    return [tuple(line.split()[-2:]) for line in listing.stdout.splitlines()]


def assert_kernels(path, isa, dtype, prefix):
    functions = kernels(f"{prefix}objdump", path)
    assert functions.keys() >= OTHER_KERNELS.keys()
    each = 3 if dtype == "float32" else 2  # with and without a transform; of float32 also those of bfloat16
    assert len(functions) == each * (sum(_native.cuda_variants().values()) + PROBES) + len(OTHER_KERNELS)
    for name, function in functions.items():
        for operation in expected_operations(name):
            packed = operation if operation in PACKED[isa] else operation + KINDS[dtype]
            assert re.search(PACKED[isa][packed], function), f"{name} has no packed {packed}"
        assert not re.search(FUSED, function), f"{name} has a fused multiply-add"
    codecs = kernels(f"{prefix}objdump", path, r"(?:en|de)code_\w+(?:<.*>)?")
    assert len(codecs) == (CODECS if dtype == "float32" else 0)
    for name, function in codecs.items():
        assert re.search(WIDE[isa], function), f"{name} is not vectorized"
        assert not re.search(FUSED, function), f"{name} has a fused multiply-add"
    assert symbols(f"{prefix}nm", path) == [("T", f"fastadam_kernels_{isa}_{dtype}")]


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("isa", PACKED)
def test_kernels(native_build, isa, dtype):
    build = native_build(isa.partition("_v")[0])
    if not shutil.which(f"{build.prefix}objdump"):
        pytest.skip(f"needs {build.prefix}objdump")
    (path,) = build.folder.rglob(f"fastadam_kernels_{isa}_{dtype}.dir/**/kernels.cpp.o")
    assert_kernels(path, isa, dtype, build.prefix)
