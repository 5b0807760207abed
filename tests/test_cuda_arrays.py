"""Which GPU arrays are taken: other libraries' without a copy; what does not fit is refused, and then nothing has changed."""

import numpy as np
import pytest
from buffers import assert_same_bits
from cuda_exporters import Exporter, Interface
from twins import LIST, ONE, Twins

import fastadam
from fastadam.backends import devices

F32 = np.float32


class Maker:
    """Arrays of the test's device."""

    def __init__(self, device):
        self.device = device

    def ones(self, shape=6, dtype=F32, **options):
        return self.device.upload(np.ones(shape, dtype), **options)

    def misaligned(self):
        import cupy

        room = self.ones(8)
        memory = cupy.cuda.UnownedMemory(room.data.ptr + 1, 24, room, 0)
        return cupy.ndarray((6,), F32, cupy.cuda.MemoryPointer(memory, 0))


@pytest.fixture
def make(device):
    return Maker(device)


BAD_ARRAYS = {
    "dtype": (lambda make: make.ones(dtype=np.float64), TypeError, r"has dtype '<f8' \(float64\); expected float32.*astype"),
    "half": (lambda make: make.ones(dtype=np.float16), TypeError, r"has dtype '<f2' \(float16\); expected float32.*astype"),
    "layout": (
        lambda make: make.ones(12)[::2],
        ValueError,
        r"(does not fill|is laid out).* strides \(8,\).*cupy.ascontiguousarray",
    ),
    "shape": (lambda make: make.ones(7), ValueError, r"has shape \(7,\); expected \(6,\)"),
    "alignment": (Maker.misaligned, ValueError, "is not aligned to its elements of float32"),
    "type": (lambda make: [1.0] * 6, TypeError, "is a list; expected a cupy.ndarray of dtype float32"),
    "cpu": (lambda make: np.ones(6, F32), ValueError, "is in the CPU's memory, but .* is on GPU 0; .*cupy.asarray"),
    "export": (
        lambda make: Exporter(make.ones(), BufferError("use detach()")),
        TypeError,
        r"is a Exporter whose memory cannot be used in place: use detach\(\)",
    ),
    "mask": (
        lambda make: Interface(make.ones(), mask=make.ones()),
        TypeError,
        "is a Interface whose memory cannot be used in place: it has a mask",
    ),
}


@pytest.mark.parametrize(
    ("wrap", "sizes"),
    [(Interface, ONE), (Interface, LIST), (Exporter, [6, 5])],
    ids=["interface-one", "interface-list", "dlpack"],
)
def test_other_libraries_arrays_are_stepped_in_place(device, wrap, sizes):
    """Gradients may be read-only."""
    twins = Twins(device, sizes)
    optimizer = fastadam.Adam(list(map(wrap, twins.on_gpu)))
    options = {"read_only": True} if wrap is Interface else {}
    for _ in range(3):
        grads = twins.random_grads()
        twins.cpu.step(grads)
        optimizer.step([wrap(grad, **options) for grad in twins.upload(grads)])
    for i, (array, param) in enumerate(zip(twins.on_gpu, twins.params, strict=True)):
        assert_same_bits(device.download(array), param, f"in params[{i}]")


def test_a_read_only_gradient_is_used_and_left_as_it_is(device, make):
    param, grad, expected = make.ones(), make.ones(), np.ones(6, F32)
    fastadam.Adam(param).step(Interface(grad, read_only=True))
    fastadam.Adam(expected).step(np.ones(6, F32))
    assert_same_bits(device.download(param), expected)
    assert (device.download(grad) == 1).all()


@pytest.mark.parametrize("what", BAD_ARRAYS)
def test_a_gradient_that_does_not_fit_is_refused(device, make, what):
    bad, error, message = BAD_ARRAYS[what]
    twins = Twins(device, [6, 6])
    twins.step()
    with pytest.raises(error, match=r"grads\[1\] " + message):
        twins.gpu.step([make.ones(), bad(make)])
    twins.assert_same()


@pytest.mark.parametrize("what", ["dtype", "layout", "shape"])
def test_what_only_an_interface_says_is_told(make, what):
    bad, error, message = BAD_ARRAYS[what]
    with pytest.raises(error, match="grads " + message):
        fastadam.Adam(make.ones()).step(Interface(bad(make)))


@pytest.mark.parametrize("what", [what for what in BAD_ARRAYS if what != "shape"])
def test_a_parameter_that_does_not_fit_is_refused(make, what):
    bad, error, message = BAD_ARRAYS[what]
    with pytest.raises(error, match=r"params\[1\] " + message):
        fastadam.Adam([make.ones(), bad(make)])


@pytest.mark.parametrize("shape", [(6,), (2, 3), ()])
def test_an_interface_that_an_optimizer_cannot_use_is_refused(device, make, shape):
    array = make.ones(shape)
    with pytest.raises(ValueError, match="params is read-only; expected a writeable array"):
        fastadam.Adam(Interface(array, read_only=True))
    with pytest.raises(TypeError, match=r"params is a Interface .*mask"):
        fastadam.Adam(Interface(array, mask=array))
    optimizer = fastadam.Adam(array)
    with pytest.raises(ValueError, match=r"grads has shape \(4, 4\)"):
        optimizer.step(Interface(make.ones((4, 4))))
    with pytest.raises(ValueError, match="grads shares memory with params"):
        optimizer.step(Interface(array))
    assert (device.download(array) == 1).all()
    assert int(optimizer.state["step"]) == 0


def test_arrays_that_share_memory_are_refused(device, make):
    whole = make.ones(12)
    with pytest.raises(ValueError, match=r"params\[0\] shares memory with params\[1\]"):
        fastadam.Adam([whole[:7], whole[6:]])
    twins = Twins(device, [6, 6])
    with pytest.raises(ValueError, match=r"grads\[1\] shares memory with state\[0\]\['exp_avg'\]"):
        twins.gpu.step([make.ones(), twins.gpu.state[0]["exp_avg"]])
    twins.assert_same()


def test_a_gpu_gradient_for_a_cpu_parameter_is_refused(make):
    for grad in (make.ones(), Exporter(make.ones()), Interface(make.ones())):
        with pytest.raises(ValueError, match=r"grads is on .*GPU.*, but params is in the CPU's memory; .*cupy.asnumpy"):
            fastadam.Adam(np.ones(6, F32)).step(grad)


def test_step_counts_out_of_range_are_refused(device):
    twins = Twins(device, [6, 6])
    for optimizer in (twins.cpu, twins.gpu):
        optimizer.state[1]["step"][...] = 2**63 - 1
    with pytest.raises(ValueError, match=r"step count of params\[1\] is out of range"):
        twins.gpu.step(twins.upload(twins.random_grads()))
    twins.assert_same()


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (lambda make: np.ones(3, F32), ValueError, r"grads\[1\] is in the CPU's memory, but grads\[0\] is on GPU 0"),
        (lambda make: make.ones(3, np.float64), TypeError, r"grads\[1\] has dtype '<f8'"),
        (lambda make: make.ones((3, 2))[:, :1], ValueError, r"grads\[1\] does not fill its memory without gaps"),
    ],
    ids=["cpu", "dtype", "layout"],
)
def test_a_norm_of_what_does_not_fit_is_refused(make, bad, error, words):
    with pytest.raises(error, match=words):
        fastadam.global_norm([make.ones(), bad(make)])


@pytest.mark.parametrize(("kind", "on_gpu"), [(1, False), (2, True), (3, False), (10, False), (13, True)])
def test_where_an_array_is_follows_its_dlpack_device(kind, on_gpu):
    """DLPack's kinds: the CPU's memory, CUDA's, pinned host memory, ROCm's, and CUDA's managed memory."""

    class Array:
        def __dlpack_device__(self):
            return kind, 0

    assert devices.is_on_gpu(Array()) is on_gpu
    assert devices.place_of(Array()) == ("on GPU 0" if on_gpu else "in the CPU's memory")
