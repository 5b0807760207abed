"""Arrays of other libraries are used in place: PyTorch's by DLPack, others by ``__cuda_array_interface__``, in stream order."""

import numpy as np
import pytest
from buffers import assert_same_bits
from gpu.arrays import copy, to_cpu, to_gpu
from gpu.twins import LIST, ONE, Twins

import fastadam

pytestmark = pytest.mark.gpu

SIZES = pytest.mark.parametrize("sizes", [ONE, LIST], ids=["one", "list"])
BUSY = 0.3  # seconds
CYCLES = 600_000_000  # of a GPU's clock, which keep it busy for about as long


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    if not torch.cuda.is_available():
        pytest.skip("needs PyTorch with CUDA")
    return torch


class Exported:
    """An array that has nothing but ``__cuda_array_interface__``."""

    def __init__(self, array, *, stream=None, read_only=False, mask=None):
        self._array = array
        self.__cuda_array_interface__ = {
            "shape": array.shape,
            "typestr": array.dtype.str,
            "data": (array.data.ptr, read_only),
            "strides": None,
            "version": 3,
            "stream": stream,
            "mask": mask,
        }


def expect_same(arrays, expected):
    for i, (array, wanted) in enumerate(zip(arrays, expected, strict=True)):
        assert_same_bits(array, wanted, f"in params[{i}]")


@SIZES
def test_torch_tensors_are_stepped_in_place(torch, sizes):
    twins = Twins(sizes, fastadam.AdamW)
    tensors = [torch.tensor(param, device="cuda") for param in twins.params]
    optimizer = fastadam.AdamW(tensors)
    for _ in range(5):
        grads = twins.random_grads()
        twins.cpu.step(grads)
        optimizer.step([torch.tensor(grad, device="cuda") for grad in grads])
    torch.cuda.synchronize()
    expect_same([tensor.cpu().numpy() for tensor in tensors], twins.params)


def test_torch_parameters_with_the_gradients_that_it_computes(torch):
    parameter = torch.nn.Parameter(torch.linspace(-1, 1, 1001, device="cuda"))
    start = parameter.detach().cpu().numpy()
    with pytest.raises(TypeError, match="detach"):
        fastadam.Adam([parameter])
    on_gpu, on_cpu = fastadam.Adam(parameter.detach(), lr=0.1), fastadam.Adam(start, lr=0.1)
    for _ in range(20):
        parameter.grad = None
        (parameter**2).sum().backward()
        on_gpu.step(parameter.grad)
        on_cpu.step(2 * start)  # exact, like torch's
        torch.cuda.synchronize()
        assert_same_bits(parameter.detach().cpu().numpy(), start)


def test_a_step_waits_for_the_stream_on_which_torch_computes_the_gradient(torch):
    twins = Twins(ONE)
    (values,) = twins.random_grads()
    grad, source = torch.zeros(ONE, device="cuda"), torch.tensor(values, device="cuda")
    twins.gpu.step([grad])
    twins.cpu.step([values * 0])
    side = torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(side):
        torch.cuda._sleep(CYCLES)
        grad.copy_(source)
        twins.gpu.step([grad])  # on CuPy's stream, which is another
        busy = not side.query()
    assert busy, "the step has waited, or the GPU was not busy for long enough"
    twins.cpu.step([values])
    torch.cuda.synchronize()
    twins.assert_same()


def test_a_step_on_a_stream_of_cupy_waits_for_torch(torch, stream):
    twins = Twins(ONE)
    (values,) = twins.random_grads()
    grad, source = torch.zeros(ONE, device="cuda"), torch.tensor(values, device="cuda")
    with stream:
        twins.gpu.step([grad])
    twins.cpu.step([values * 0])
    torch.cuda.synchronize()
    torch.cuda._sleep(CYCLES)
    grad.copy_(source)
    with stream:
        twins.gpu.step([grad])
    busy = not torch.cuda.current_stream().query()
    torch.cuda.synchronize()
    twins.cpu.step([values])
    twins.assert_same()
    assert busy, "the step has waited, or the GPU was not busy for long enough"


def test_torch_takes_cupy_arrays_that_are_being_trained(torch):
    twins = Twins(ONE)
    tensor = torch.from_dlpack(twins.on_gpu[0])
    twins.step(times=3)
    torch.cuda.synchronize()
    assert_same_bits(tensor.cpu().numpy(), twins.params[0])


@SIZES
def test_arrays_that_have_only_the_cuda_array_interface(sizes):
    twins = Twins(sizes)
    optimizer = fastadam.Adam([Exported(array) for array in twins.on_gpu])
    for _ in range(3):
        grads = twins.random_grads()
        twins.cpu.step(grads)
        optimizer.step([Exported(to_gpu(grad), read_only=True) for grad in grads])
    expect_same([to_cpu(array) for array in twins.on_gpu], twins.params)


def test_a_step_waits_for_the_stream_of_the_interface(stream, spin):
    twins = Twins(ONE)
    (values,) = twins.random_grads()
    grad, source = to_gpu(values * 0), to_gpu(values)
    twins.gpu.step([grad])
    twins.cpu.step([values * 0])
    with stream:
        spin(BUSY)
        copy(grad, source)
    twins.gpu.step([Exported(grad, stream=stream.ptr)])
    busy = not stream.done
    twins.cpu.step([values])
    twins.assert_same()
    assert busy


@pytest.mark.parametrize("sizes", [(6,), (2, 3), ()])
def test_what_the_interface_describes_wrongly_is_refused(sizes):
    array = to_gpu(np.ones(sizes, np.float32))
    with pytest.raises(ValueError, match="params is read-only"):
        fastadam.Adam(Exported(array, read_only=True))
    with pytest.raises(TypeError, match=r"params is a Exported .*mask"):
        fastadam.Adam(Exported(array, mask=array))
    optimizer = fastadam.Adam(array)
    with pytest.raises(ValueError, match=r"grads has shape \(4, 4\)"):
        optimizer.step(Exported(to_gpu(np.ones((4, 4), np.float32))))
    with pytest.raises(TypeError, match=r"grads has dtype .*float64"):
        optimizer.step(Exported(to_gpu(np.ones(sizes, np.float64))))
    with pytest.raises(ValueError, match="grads shares memory with params"):
        optimizer.step(Exported(array))
    assert (to_cpu(array) == 1).all()
    assert int(optimizer.state["step"]) == 0
