"""Kernels can be compiled ahead: all there are, or what an optimizer needs; steps compile no more then."""

import numpy as np
import pytest

import fastadam
from fastadam import _native
from fastadam.backends.cuda import kernels
from fastadam.backends.cuda.cupy_runtime import gpu


def forget_kernels():
    kernels.of.cache_clear()
    kernels.of_norms.cache_clear()


@pytest.fixture
def compiled(device, monkeypatch):
    """The options of what is compiled from now on, and for which device."""
    forget_kernels()
    compiled, compile = [], gpu().compile

    def record(source, options, names):
        compiled.append((options, gpu().current()))
        return compile(source, options, names)

    monkeypatch.setattr(gpu(), "compile", record)
    yield compiled
    forget_kernels()


def ones(device, number=0):
    return device.upload(np.ones(5, np.float32), device=number)


def test_warmup_compiles_everything(device, compiled):
    fastadam.warmup()
    assert len(compiled) == sum(_native.cuda_variants().values()) + 1  # and the norm
    compiled.clear()
    for capturable in (False, True):
        for cls in (fastadam.Adam, fastadam.AdamW):
            for amsgrad in (False, True):
                optimizer = cls(ones(device), weight_decay=0.1, amsgrad=amsgrad, capturable=capturable)
                optimizer.step(ones(device), max_norm=1.0)
    assert compiled == []


def expect_what_optimizers_need(device, compiled, number):
    optimizer = fastadam.Adam([ones(device, number) for _ in range(2)], amsgrad=True)
    single = fastadam.Adam(ones(device, number))
    assert compiled == []
    fastadam.warmup(optimizer, single)
    assert [where for _, where in compiled] == [number] * 3  # the norm's, and
    for (options, _), flags in zip(compiled[1:], (1, 0), strict=True):
        assert {"-DFASTADAM_RULE=Adam", f"-DFASTADAM_FLAGS={flags}"} <= {*options}
    compiled.clear()
    optimizer.step([ones(device, number) for _ in range(2)])
    single.step(ones(device, number), max_norm=1.0)
    assert compiled == []


def test_warmup_of_optimizers_compiles_what_they_need(device, compiled):
    expect_what_optimizers_need(device, compiled, gpu().current())


def test_warmup_of_optimizers_is_for_their_device(device, second, compiled):
    expect_what_optimizers_need(device, compiled, second)


def test_warmup_refuses_optimizers_on_the_cpu(device):
    with pytest.raises(ValueError, match="not on a GPU"):
        fastadam.warmup(fastadam.Adam(np.ones(5, np.float32)))
