"""Kernels are compiled once: kept on disk for later processes, and compiled anew if a header changes."""

import shutil

import pytest

from fastadam.backends.cuda import source

pytestmark = pytest.mark.gpu

STEP = """
import functools
from pathlib import Path
import cupy, fastadam
from fastadam.backends.cuda import source
source.text = functools.partial(source.text, folder=Path({headers!r}))
param = cupy.ones(5, "float32")
fastadam.Adam(param, lr=0.5).step(cupy.ones(5, "float32"))
print(float(param[0]))
"""


def step(run_python, folder, headers=source.FOLDER):
    """A parameter after a step in another process, and what is then in the cache: names and times."""
    printed = run_python(STEP.format(headers=str(headers)), CUPY_CACHE_DIR=str(folder), CUPY_CACHE_IN_MEMORY=None)
    return float(printed), {path.name: path.stat().st_mtime_ns for path in folder.glob("*.cubin")}


def test_a_second_process_compiles_nothing(run_python, tmp_path):
    first, compiled = step(run_python, tmp_path)
    assert first == pytest.approx(0.5)
    assert compiled
    second, found = step(run_python, tmp_path)
    assert second == first
    assert found == compiled  # what is compiled again is also written again


def test_a_changed_header_is_compiled_anew(run_python, tmp_path):
    cache, headers = tmp_path / "cache", tmp_path / "csrc"
    cache.mkdir()
    shutil.copytree(source.FOLDER, headers)
    before, compiled = step(run_python, cache)
    assert step(run_python, cache, headers) == (before, compiled)
    header = headers / "rules" / "adam.hpp"
    text = header.read_text()
    header.write_text(text.replace("(a * m)", "(a * m + a * m)"))
    assert header.read_text() != text
    after, found = step(run_python, cache, headers)
    assert 1 - after == pytest.approx(2 * (1 - before))
    assert found.items() > compiled.items()
