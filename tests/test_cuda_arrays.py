"""Which GPU arrays are taken: other libraries' without a copy, on their own device; what does not fit is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

import fastadam
from fastadam.backends.cuda.cupy_runtime import Gpu

cupy = pytest.importorskip("cupy", reason="needs CuPy, though no GPU: pip install cupy-cuda13x")
from cuda_host import on_cpu, on_gpu  # noqa: E402

F32 = np.float32


class Interface:
    """An array that has nothing but __cuda_array_interface__."""

    def __init__(self, array, read_only=False, **more):
        self._array = array
        strides = None if array.flags.c_contiguous else array.strides
        self.__cuda_array_interface__ = {
            "shape": array.shape,
            "typestr": array.dtype.str,
            "data": (array.data.ptr, read_only),
            "strides": strides,
            "version": 3,
        } | more


class Exporter:
    """An array that exports DLPack, as torch's do."""

    def __init__(self, array, error=None):
        self.array, self._error = array, error

    def __dlpack_device__(self):
        return (2, self.array.data.device_id)

    def __dlpack__(self, **options):
        raise NotImplementedError  # the stand-in for CuPy's runtime takes exported()

    def exported(self):
        if self._error:
            raise self._error
        return self.array


def ones(size=6, **options):
    return on_gpu(np.ones(size, F32), **options)


@pytest.mark.parametrize("wrap", [Interface, Exporter])
def test_other_libraries_arrays_are_stepped_in_place(host_gpu, wrap):
    arrays, grads = [ones(), ones(5)], [ones(), ones(5)]
    expected = [np.ones(6, F32), np.ones(5, F32)]
    optimizer, reference = fastadam.Adam(list(map(wrap, arrays)), lr=0.1), fastadam.Adam(expected, lr=0.1)
    for _ in range(3):
        optimizer.step(list(map(wrap, grads)))
        reference.step([np.ones(6, F32), np.ones(5, F32)])
    for array, param in zip(arrays, expected, strict=True):
        assert on_cpu(array).tobytes() == param.tobytes()


def test_the_stream_of_an_interface_is_waited_for(host_gpu):
    optimizer = fastadam.Adam(Interface(ones(), stream=None))
    assert host_gpu.waited_for == []
    optimizer.step(Interface(ones(), stream=1234))
    assert host_gpu.waited_for == [1234]


def test_a_gradient_may_be_read_only(host_gpu):
    fastadam.Adam(ones()).step(Interface(ones(), read_only=True))


def test_steps_run_on_the_arrays_own_device(host_gpu):
    params = [ones(device=1), ones(5, device=1)]
    for optimizer, grads in (
        (fastadam.Adam(params[0]), ones(device=1)),
        (fastadam.Adam(params), [ones(device=1), ones(5, device=1)]),
        (fastadam.Adam(params, capturable=True), [ones(device=1), ones(5, device=1)]),
    ):
        optimizer.step(grads)
        state = optimizer.state if isinstance(optimizer.state, tuple) else (optimizer.state,)
        assert {each["exp_avg"].data.device_id for each in state} == {1}
    assert {launch.device for launch in host_gpu.launches} == {1}
    assert host_gpu.current() == 0


def transposed():
    return on_gpu(np.ones((2, 3), F32)).T


BAD_ARRAYS = {
    "dtype": (lambda: on_gpu(np.ones(6)), TypeError, r"has dtype '<f8' \(float64\); expected float32.*astype"),
    "layout": (lambda: ones(12)[::2], ValueError, "is not C-contiguous .*cupy.ascontiguousarray"),
    "shape": (lambda: ones(7), ValueError, r"has shape \(7,\); expected \(6,\)"),
    "alignment": (lambda: misaligned(), ValueError, "is not aligned to 4 bytes"),
    "type": (lambda: [1.0] * 6, TypeError, "is a list; expected a cupy.ndarray of dtype float32"),
    "cpu": (lambda: np.ones(6, F32), ValueError, "is in the CPU's memory, but .* is on GPU 0; .*cupy.asarray"),
    "device": (lambda: ones(device=1), ValueError, "is on GPU 1, but .* is on GPU 0"),
    "export": (
        lambda: Exporter(ones(), BufferError("use detach()")),
        TypeError,
        r"is a Exporter whose memory cannot be used in place: use detach\(\)",
    ),
    "mask": (
        lambda: Interface(ones(), mask=ones()),
        TypeError,
        "is a Interface whose memory cannot be used in place: it has a mask",
    ),
}


def misaligned():
    room = ones(8)
    memory = cupy.cuda.UnownedMemory(room.data.ptr + 1, 24, room, 0)
    return cupy.ndarray((6,), F32, cupy.cuda.MemoryPointer(memory, 0))


@pytest.mark.parametrize("what", BAD_ARRAYS)
def test_a_gradient_that_does_not_fit_is_refused(host_gpu, what):
    make, error, message = BAD_ARRAYS[what]
    params = [ones(), ones()]
    optimizer = fastadam.Adam(params)
    optimizer.step([ones(), ones()])
    host_gpu.launches.clear()
    with pytest.raises(error, match=r"grads\[1\] " + message):
        optimizer.step([ones(), make()])
    assert host_gpu.launches == []
    assert [state["step"] for state in optimizer.state] == [1, 1]


@pytest.mark.parametrize("what", ["dtype", "layout", "shape"])
def test_what_only_an_interface_says_is_told(host_gpu, what):
    make, error, message = BAD_ARRAYS[what]
    with pytest.raises(error, match="grads " + message):
        fastadam.Adam(ones()).step(Interface(make()))


@pytest.mark.parametrize("what", [what for what in BAD_ARRAYS if what != "shape"])
def test_a_parameter_that_does_not_fit_is_refused(host_gpu, what):
    make, error, message = BAD_ARRAYS[what]
    with pytest.raises(error, match=r"params\[1\] " + message):
        fastadam.Adam([ones(), make()])


def test_a_read_only_parameter_is_refused(host_gpu):
    with pytest.raises(ValueError, match="params is read-only; expected a writeable array"):
        fastadam.Adam(Interface(ones(), read_only=True))


def test_arrays_that_share_memory_are_refused(host_gpu):
    whole = ones(12)
    with pytest.raises(ValueError, match=r"params\[0\] shares memory with params\[1\]"):
        fastadam.Adam([whole[:7], whole[6:]])
    optimizer = fastadam.Adam([ones(), ones()])
    with pytest.raises(ValueError, match=r"grads\[1\] shares memory with state\[0\]\['exp_avg'\]"):
        optimizer.step([ones(), optimizer.state[0]["exp_avg"]])
    assert host_gpu.launches == []


def test_a_gpu_gradient_for_a_cpu_parameter_is_refused(host_gpu):
    for grad in (ones(), Exporter(ones()), Interface(ones())):
        with pytest.raises(ValueError, match=r"grads is on .*GPU.*, but params is in the CPU's memory; .*cupy.asnumpy"):
            fastadam.Adam(np.ones(6, F32)).step(grad)


def test_step_counts_out_of_range_are_refused(host_gpu):
    optimizer = fastadam.Adam([ones(), ones()])
    optimizer.state[1]["step"][...] = 2**63 - 1
    with pytest.raises(ValueError, match=r"step count of params\[1\] is out of range"):
        optimizer.step([ones(), ones()])
    assert host_gpu.launches == []


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
