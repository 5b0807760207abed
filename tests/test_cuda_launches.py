"""The launches that CuPy would get, as the stand-in for GPUs records them: how many, where, and what is in their arguments."""

import ctypes

import numpy as np
import pytest
from cuda_device import Host
from cuda_exporters import Interface
from twins import Twins

import fastadam
from fastadam.backends.cuda.launch import MOST_WORDS, STRUCTS, TABLES
from fastadam.backends.cuda.source import SHAPE

pytest.importorskip("cupy", reason="needs CuPy, though no GPU: pip install cupy-cuda13x")
from cuda_host import HostGpu, installed, on_cpu, on_gpu

F32 = np.float32


def test_a_step_of_one_tensor_is_one_launch_with_all_it_needs(host_gpu):
    param, grad = on_gpu(np.ones(3 * SHAPE.chunk - 1, F32)), on_gpu(np.ones(3 * SHAPE.chunk - 1, F32))
    optimizer = fastadam.Adam(param, lr=0.5, weight_decay=0.25)
    for step in (1, 2):
        optimizer.step(grad)
        (launch,) = host_gpu.launches
        host_gpu.launches.clear()
        assert (launch.kernel, launch.device, launch.grid, launch.block) == ("fastadam_step", 0, (3,), (SHAPE.block,))
        argument = launch.argument.reshape(1).view(STRUCTS["float32"]["StepArguments"])[0]
        tensor, gradients, state = argument["tensor"], argument["gradients"], optimizer.state
        assert (tensor["param"], tensor["grad"], tensor["size"]) == (param.data.ptr, grad.data.ptr, param.size)
        assert [*tensor["state"]] == [state["exp_avg"].data.ptr, state["exp_avg_sq"].data.ptr, 0, 0, 0]
        assert gradients.tolist() == (0, (1, np.inf), 1)
        k2 = 1 - float(F32(0.999)) ** step
        step_size = 0.5 * np.sqrt(k2) / (1 - float(F32(0.9)) ** step)
        expected = [0.9, 0.999, F32(1) - F32(0.9), F32(1) - F32(0.999), step_size, 1e-8 * np.sqrt(k2), 1, 0.25]
        coefficients = argument["coefficients"]["rule"]["bytes"][:32].view(F32)
        np.testing.assert_array_equal(coefficients, np.array(expected, F32))


def test_a_step_of_a_list_is_one_launch(host_gpu):
    """The gradients' addresses are written when they change, and only then; all else is in the first launch's tables."""
    sizes = [5, SHAPE.chunk + 1, 0, 2]
    params, grads, others = ([on_gpu(np.ones(size, F32)) for size in sizes] for _ in range(3))
    optimizer = fastadam.Adam(params)
    kernels = []
    for which in (grads, grads, others, others, grads):
        optimizer.step(which)
        kernels.append([launch.kernel for launch in host_gpu.launches])
        host_gpu.launches.clear()
    fresh, same = ["fastadam_write", "fastadam_step_list"], ["fastadam_step_list"]
    assert kernels == [fresh, same, fresh, same, fresh]

    optimizer.step(others)
    write, step = host_gpu.launches
    assert (write.grid, write.block, step.grid, step.block) == ((1,), (SHAPE.block,), (4,), (SHAPE.block,))
    written = write.argument.reshape(1).view(TABLES["WriteArguments"])[0]
    argument = step.argument.reshape(1).view(STRUCTS["float32"]["StepListArguments"])[0]
    assert (written["destination"], written["count"]) == (argument["list"]["grads"], 4)
    assert [*written["words"][:4]] == [grad.data.ptr for grad in others]
    assert argument["list"]["chunk_count"] == 4
    assert argument["coefficients"]["rule"]["bytes"][:4].view(F32) == F32(0.9)


def test_more_gradients_than_one_launch_can_write(host_gpu):
    count = 2 * MOST_WORDS + 1
    params = [on_gpu(np.full(1, k, F32)) for k in range(count)]
    fastadam.Adam(params, lr=0.5).step([on_gpu(np.full(1, 1, F32)) for _ in range(count)])
    assert [launch.kernel for launch in host_gpu.launches] == ["fastadam_write"] * 3 + ["fastadam_step_list"]
    assert [on_cpu(param)[0] for param in params] == [k - 0.5 for k in range(count)]


def test_a_step_is_a_launch_for_each_count_of_steps(host_gpu):
    counts = [0, 7, 7, 999]
    optimizer = fastadam.Adam([on_gpu(np.ones(5, F32)) for _ in counts])
    for state, count in zip(optimizer.state, counts, strict=True):
        state["step"][...] = count
    grads = [on_gpu(np.ones(5, F32)) for _ in counts]
    optimizer.step(grads)
    assert [launch.kernel for launch in host_gpu.launches] == ["fastadam_write"] * 3 + ["fastadam_step_list"] * 3
    host_gpu.launches.clear()
    optimizer.step(grads)
    assert [launch.kernel for launch in host_gpu.launches] == ["fastadam_step_list"] * 3, "addresses were written again"


def test_one_launch_more_for_a_norm(host_gpu):
    twins = Twins(Host(host_gpu), [[5, 0, 300, 70_001], [9], [1, 2, 3000]])
    there, grads = twins.gpu, twins.upload(twins.random_grads())
    for options, norms in (({}, 0), ({"max_norm": 1.0}, 1)):
        there.step(grads, **options)
        host_gpu.launches.clear()
        there.step(grads, **options)
        kernels = [launch.kernel for launch in host_gpu.launches if launch.kernel != "fastadam_write"]
        assert sorted(kernels) == ["fastadam_norm"] * norms + ["fastadam_step"] + ["fastadam_step_list"] * 2


def test_launches_are_on_the_arrays_own_device(host_gpu):
    for capturable in (False, True):
        twins = Twins(Host(host_gpu), [6, 5], number=1, capturable=capturable)
        twins.step(max_norm=1.0)
    assert {launch.device for launch in host_gpu.launches} == {1}


def test_a_refused_step_launches_nothing(host_gpu):
    optimizer = fastadam.Adam([on_gpu(np.ones(6, F32)) for _ in range(2)])
    for bad in (on_gpu(np.ones(7, F32)), np.ones(6, F32), optimizer.state[0]["exp_avg"]):
        with pytest.raises(ValueError, match=r"grads\[1\]"):
            optimizer.step([on_gpu(np.ones(6, F32)), bad])
    with host_gpu.capture(), pytest.raises(RuntimeError, match="captured"):
        optimizer.step([on_gpu(np.ones(6, F32)) for _ in range(2)])
    assert host_gpu.launches == []


def test_the_stream_of_an_interface_is_waited_for(host_gpu):
    optimizer = fastadam.Adam(Interface(on_gpu(np.ones(6, F32)), stream=None))
    assert host_gpu.waited_for == []
    optimizer.step(Interface(on_gpu(np.ones(6, F32)), stream=1234))
    assert host_gpu.waited_for == [1234]


def write_beside(gpu):
    array = gpu.empty(3, np.float64)
    ctypes.c_double.from_address(array.data.ptr + array.nbytes).value = 0


def test_what_is_written_beside_an_array_is_noticed():
    """By the stand-in itself, though the array has gone."""
    stand_in = installed(HostGpu())
    write_beside(stand_in.__enter__())
    with pytest.raises(AssertionError, match=r"written beside .*24 bytes"):
        stand_in.__exit__(None, None, None)
