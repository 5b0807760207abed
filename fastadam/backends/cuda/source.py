"""The sources that CuPy compiles: kernel files with their headers inlined, and the compiler options of a variant.

CuPy's disk cache identifies a kernel by its source text and options. With the headers inlined, a kernel is recompiled whenever
one of them changes.
"""

import functools
import re
from pathlib import Path
from typing import Any, NamedTuple

from fastadam import _native
from fastadam.backends.dtypes import DType

FOLDER = Path(_native.__file__).with_name("csrc")
_INCLUDE = re.compile(r'^#include "(.*)"$', re.MULTILINE)


class Shape(NamedTuple):
    """How a kernel divides its work; docs/cuda.md has the measurements, which are of float32."""

    block: int = 256  # threads
    vectors: int = 1  # 16-byte vectors of each array that a thread loads at once
    chunk: int = 2048  # elements that a block processes at a time
    resident: int = 3  # blocks that must fit on a multiprocessor at once, which limits the registers of a thread

    def resident_with(self, dtype: DType) -> int:
        """The same for a type of elements: a float64 takes two registers, so one block less must fit."""
        return self.resident if dtype == "float32" else max(self.resident - 1, 1)


SHAPE = Shape()


@functools.cache
def text(name: str = "step.cu", folder: Path = FOLDER) -> str:
    """A kernel file with its headers inlined where they are first included."""
    seen = set()

    def expand(path: Path) -> str:
        if path in seen:
            return ""
        seen.add(path)

        def include(match: re.Match[str]) -> str:
            return expand((path.parent / match[1]).resolve())

        lines = path.read_text(encoding="utf-8").replace("#pragma once\n", "")
        return f"// {path.relative_to(folder).as_posix()}\n" + _INCLUDE.sub(include, lines)

    folder = folder.resolve()
    return expand(folder / "cuda" / name)


def options(rule: str, flags: int, averages: bool = False, dtype: DType = "float32", shape: Shape = SHAPE) -> tuple[str, ...]:
    """Compiler options for one combination of a rule's flags and a type of elements; `rule` is the name of its C++ type."""
    rest = {"VECTORS": shape.vectors, "CHUNK": shape.chunk, "RESIDENT": shape.resident_with(dtype)}
    return _options({"RULE": rule, "FLAGS": flags, "AVERAGES": int(averages)} | rest, dtype, shape)


def norm_options(dtype: DType = "float32", shape: Shape = SHAPE) -> tuple[str, ...]:
    """Compiler options for the kernels of the global norm."""
    return _options({}, dtype, shape)


def _options(definitions: dict[str, Any], dtype: DType, shape: Shape) -> tuple[str, ...]:
    definitions = definitions | {"BLOCK": shape.block} | ({"FLOAT64": 1} if dtype == "float64" else {})
    return ("-std=c++17", *(f"-DFASTADAM_{name}={value}" for name, value in definitions.items()))
