"""Where CuPy, its driver or its compiler cannot be used, the error says what to install."""

from types import SimpleNamespace

import pytest

from fastadam.backends.cuda.cupy_runtime import Gpu

WITHOUT_CUPY = """
import sys
sys.modules["cupy"] = None  # as if it were not installed
import fastadam
class OnGpu:
    __cuda_array_interface__ = {"shape": (1,), "typestr": "<f4", "data": (64, False), "version": 3}
for call in (fastadam.warmup, lambda: fastadam.Adam(OnGpu())):
    try:
        call()
    except ImportError as error:
        print(error)
"""


def test_without_cupy_the_error_says_what_to_install(run_python):
    lines = run_python(WITHOUT_CUPY).splitlines()
    assert len(lines) == 2
    assert all("need CuPy" in line and "pip install 'fastadam[cuda13]'" in line for line in lines)


def test_without_a_driver_the_error_says_so(run_python):
    """Told by CuPy itself, wherever no GPU is visible."""
    pytest.importorskip("cupy", reason="needs CuPy, though no GPU: pip install cupy-cuda13x")
    program = "import fastadam\ntry: fastadam.warmup()\nexcept RuntimeError as error: print(error)"
    message = run_python(program, CUDA_VISIBLE_DEVICES="")
    assert "finds no GPU that it can use" in message
    assert "fastadam[cuda12]" in message


def test_a_failed_compilation_says_what_to_install():
    def fail(**_):
        raise OSError("libnvrtc.so.13: cannot open shared object file")

    device = SimpleNamespace(compute_capability="70")
    broken = SimpleNamespace(__version__="14", RawModule=fail, cuda=SimpleNamespace(Device=lambda: device))
    gpu = object.__new__(Gpu)
    gpu._cupy = broken
    with pytest.raises(RuntimeError, match=r"capability 7.0 \(OSError: libnvrtc.*NVRTC.*fastadam\[cuda12\]"):
        gpu.compile("", (), ("kernel",))
