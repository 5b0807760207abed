"""PyTorch's arrays are used in place, and what another stream does to an array comes before the step that uses it."""

import pytest
from buffers import assert_same_bits
from cuda_exporters import Interface
from gpu.arrays import copy, to_gpu
from twins import LIST, ONE, Twins

import fastadam

pytestmark = pytest.mark.gpu

SIZES = pytest.mark.parametrize("sizes", [ONE, LIST], ids=["one", "list"])
BUSY = 0.3  # seconds
CYCLES = 600_000_000  # of a GPU's clock, which keep it busy for about as long


@SIZES
def test_torch_tensors_are_stepped_in_place(device, torch, sizes):
    twins = Twins(device, sizes, fastadam.AdamW)
    tensors = [torch.tensor(param, device="cuda") for param in twins.params]
    optimizer = fastadam.AdamW(tensors)
    for _ in range(5):
        grads = twins.random_grads()
        twins.cpu.step(grads)
        optimizer.step([torch.tensor(grad, device="cuda") for grad in grads])
    torch.cuda.synchronize()
    for i, (tensor, param) in enumerate(zip(tensors, twins.params, strict=True)):
        assert_same_bits(tensor.cpu().numpy(), param, f"in params[{i}]")


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


def test_a_step_waits_for_the_stream_on_which_torch_computes_the_gradient(device, torch):
    twins = Twins(device, ONE)
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


def test_a_step_on_a_stream_of_cupy_waits_for_torch(device, torch, stream):
    twins = Twins(device, ONE)
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


def test_torch_takes_cupy_arrays_that_are_being_trained(device, torch):
    twins = Twins(device, ONE)
    tensor = torch.from_dlpack(twins.on_gpu[0])
    twins.steps(3)
    torch.cuda.synchronize()
    assert_same_bits(tensor.cpu().numpy(), twins.params[0])


def test_a_step_waits_for_the_stream_of_the_interface(device, stream, spin):
    twins = Twins(device, ONE)
    (values,) = twins.random_grads()
    grad, source = to_gpu(values * 0), to_gpu(values)
    twins.gpu.step([grad])
    twins.cpu.step([values * 0])
    with stream:
        spin(BUSY)
        copy(grad, source)
    twins.gpu.step([Interface(grad, stream=stream.ptr)])
    busy = not stream.done
    twins.cpu.step([values])
    twins.assert_same()
    assert busy
