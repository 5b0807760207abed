"""The text that CuPy compiles: one kernel file with its headers written into it, and the options of one variant.

CuPy's disk cache knows a kernel by its source text and its options. With the headers in the text, a changed header can never
meet a kernel that was compiled before.
"""

import functools
import re
from pathlib import Path
from typing import NamedTuple

from fastadam import _native

FOLDER = Path(_native.__file__).with_name("csrc")
_INCLUDE = re.compile(r'^#include "(.*)"$', re.MULTILINE)


class Shape(NamedTuple):
    """How a kernel divides its work; docs/cuda.md has what was measured."""

    block: int = 256  # threads
    vectors: int = 1  # 16-byte vectors of each array that a thread has under way at once
    chunk: int = 8192  # elements that a block takes at a time
    resident: int = 3  # blocks that shall fit on a multiprocessor at once, which limits the registers of a thread


SHAPE = Shape()
WORDS = 480  # 8-byte words that one launch can write: kernel arguments may take 4 KiB


@functools.cache
def text(folder: Path = FOLDER) -> str:
    """The kernel file, its headers in place of their first inclusion."""
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
    return expand(folder / "cuda" / "step.cu")


def options(rule: str, flags: int, averages: bool = False, shape: Shape = SHAPE) -> tuple[str, ...]:
    """Compiler options for one combination of a rule's flags; `rule` is the name of its C++ type."""
    definitions = {"RULE": rule, "FLAGS": flags, "AVERAGES": int(averages), "WORDS": WORDS}
    definitions |= {name.upper(): value for name, value in shape._asdict().items()}
    return ("-std=c++17", *(f"-DFASTADAM_{name}={value}" for name, value in definitions.items()))
