"""Kernels are compiled once: kept on disk for later processes, compiled anew if a header changes, and ahead if asked for."""

import shutil

import numpy as np
import pytest
from gpu.arrays import to_gpu

import fastadam
from fastadam import _native
from fastadam.backends.cuda import kernels, source
from fastadam.backends.cuda.cupy_runtime import gpu

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


@pytest.fixture
def nothing_compiled():
    forget_kernels()
    yield
    forget_kernels()


def forget_kernels():
    kernels.of.cache_clear()
    kernels.of_norms.cache_clear()


def refuse_to_compile(monkeypatch):
    def compile(*arguments):
        raise AssertionError("compiled although it was warm")

    monkeypatch.setattr(gpu(), "compile", compile)


def test_warmup_compiles_everything(nothing_compiled, monkeypatch):
    fastadam.warmup()
    assert kernels.of.cache_info().currsize == sum(_native.cuda_variants().values())
    refuse_to_compile(monkeypatch)
    for capturable in (False, True):
        for name in ("Adam", "AdamW"):
            for amsgrad in (False, True):
                param, grad = (to_gpu(np.ones(5, np.float32)) for _ in range(2))
                getattr(fastadam, name)(param, weight_decay=0.1, amsgrad=amsgrad, capturable=capturable).step(grad)


def test_warmup_of_an_optimizer_compiles_what_it_needs(nothing_compiled, monkeypatch):
    params = [to_gpu(np.ones(5, np.float32)) for _ in range(2)]
    optimizer, single = fastadam.Adam(params, amsgrad=True), fastadam.Adam(to_gpu(np.ones(5, np.float32)))
    assert kernels.of.cache_info().currsize == 0
    fastadam.warmup(optimizer, single)
    assert kernels.of.cache_info().currsize == 2
    refuse_to_compile(monkeypatch)
    optimizer.step([to_gpu(np.ones(5, np.float32)) for _ in range(2)])
    single.step(to_gpu(np.ones(5, np.float32)), max_norm=1.0)


def test_warmup_refuses_optimizers_on_the_cpu():
    with pytest.raises(ValueError, match="not on a GPU"):
        fastadam.warmup(fastadam.Adam(np.ones(5, np.float32)))
