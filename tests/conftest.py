"""Fixtures that choose the instruction set or the device, and force small steps to be cut into threads."""

import contextlib
import functools
import os
import subprocess
import sys

import cuda_device
import native_builds
import numpy as np
import pytest
from gpu import arrays
from skips import pytest_addoption, pytest_sessionfinish, pytest_terminal_summary  # noqa: F401, hooks of pytest

import fastadam
from fastadam import _native

# What this process runs under, if that is not the CPU: the programs that tests start do so too.
EMULATOR = os.environ.get("FASTADAM_TEST_EMULATOR", "").split()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes():
    """Workers side by side would wait for CPUs on which idle OpenMP threads of the others spin."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def pytest_collection_modifyitems(items):
    """Tests that compile the CUDA kernels of one variant for the host are one worker's, which compiles them once."""
    for item in items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        if "variant" in params and item.path.name.startswith("test_cuda_"):
            item.add_marker(pytest.mark.xdist_group(f"cuda {params['variant']}"))


def pytest_runtest_setup(item):
    """What needs a GPU is skipped where there is none, and says what is missing."""
    if item.get_closest_marker("gpu") and (reason := arrays.missing()):
        pytest.skip(f"needs a GPU: {reason}")


@pytest.fixture(params=fastadam.available_isas())
def isa(request):
    """Each instruction set of this machine in turn, active while the test runs."""
    before = fastadam.active_isa()
    _native.set_isa(request.param)
    assert fastadam.active_isa() == request.param
    yield request.param
    _native.set_isa(before)


@pytest.fixture
def eager_threads():
    """Steps use all the threads they may, however small they are and whether or not it pays."""
    before = _native.grain()
    _native.set_grain(1)
    _native.set_backs_off(False)
    yield
    _native.set_grain(before)
    _native.set_backs_off(True)


@pytest.fixture
def flush_to_zero():
    """A context in which PyTorch has set flush-to-zero and denormals-are-zero on this thread, and all must leave them so."""
    torch = pytest.importorskip("torch", reason="torch, which flushes subnormals to zero, is not installed")
    tiny = np.float32(1e-40)

    @contextlib.contextmanager
    def flushing():
        if not torch.set_flush_denormal(True):
            pytest.skip("this CPU cannot flush subnormals to zero")
        try:
            assert tiny * np.float32(1) == 0
            yield
            assert tiny * np.float32(1) == 0, "the caller's environment was changed"
        finally:
            torch.set_flush_denormal(False)

    return flushing


@pytest.fixture
def run_python():
    """Runs a program in a fresh process, with changes to its environment (None: unset), and returns what it printed."""

    def run(program, timeout=120, check=True, **environ):
        result = subprocess.run(
            [*EMULATOR, sys.executable, "-P", "-c", program],
            env={name: value for name, value in (os.environ | environ).items() if value is not None},
            timeout=10 * timeout if EMULATOR else timeout,
            capture_output=True,
            text=True,
        )
        if check:
            assert result.returncode == 0, result.stderr
            return result.stdout.strip()
        return result

    return run


@pytest.fixture(scope="session")
def native_build(tmp_path_factory):
    """Compiles the library and a program, without Python, for a machine (see native_builds.py)."""
    return functools.cache(lambda machine: native_builds.build(machine, tmp_path_factory.mktemp(machine)))


@pytest.fixture
def host_gpu():
    """GPUs that are not there: what the CUDA backend launches, the CPU runs (see cuda_host.py)."""
    pytest.importorskip("cupy", reason="needs CuPy, though no GPU: pip install cupy-cuda13x")
    import cuda_host

    with cuda_host.installed(cuda_host.HostGpu()) as gpu:
        yield gpu


@pytest.fixture
def gpus(request, host_gpu, monkeypatch):
    """PyTorch's tensors on GPUs that are not there (see torch_gpus.py), found by DLPack's "table", or "described" by Python."""
    pytest.importorskip("torch", reason="torch is not installed")
    import torch_gpus

    with torch_gpus.installed(host_gpu, monkeypatch, getattr(request, "param", "table")) as gpus:
        yield gpus


@pytest.fixture(params=["host", pytest.param("gpu", marks=pytest.mark.gpu)])
def device(request):
    """What a test of the CUDA backend runs on: always the stand-in for GPUs, and a GPU where there is one (cuda_device.py)."""
    return cuda_device.Real() if request.param == "gpu" else cuda_device.Host(request.getfixturevalue("host_gpu"))


@pytest.fixture
def second(device):
    """The number of a GPU that is not the current one."""
    if device.count < 2:
        pytest.skip("needs two GPUs")
    return 1
