"""Several GPUs: a step runs where its arrays are, whichever device is the current one, and never across two."""

import numpy as np
import pytest
from gpu.arrays import to_cpu, to_gpu
from gpu.twins import LIST, ONE, Twins

import fastadam
from fastadam.backends.cuda.cupy_runtime import gpu

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("capturable", [False, True], ids=["eager", "capturable"])
@pytest.mark.parametrize("sizes", [ONE, LIST], ids=["one", "list"])
def test_arrays_on_a_device_that_is_not_the_current_one(second_gpu, sizes, capturable):
    before = gpu().current()
    assert before != second_gpu
    twins = Twins(sizes, device=second_gpu, capturable=capturable)
    for _ in range(3):
        grads = twins.random_grads()
        twins.cpu.step(grads)
        twins.gpu.step([to_gpu(grad, device=second_gpu) for grad in grads])
        twins.gpu.lr = twins.cpu.lr = 0.1
    assert gpu().current() == before
    twins.assert_same()
    for state in twins.gpu.state:
        assert state["exp_avg"].data.device_id == second_gpu


def test_devices_in_turn(second_gpu):
    """The kernels are compiled for each."""
    here, there = Twins(ONE), Twins(ONE, device=second_gpu)
    for _ in range(3):
        here.step()
        grads = there.random_grads()
        there.cpu.step(grads)
        with gpu().on(second_gpu):
            there.gpu.step([to_gpu(grad, device=second_gpu) for grad in grads])
    here.assert_same()
    there.assert_same()


def test_a_stateless_step_elsewhere(second_gpu):
    arrays = [np.full(5000, value, np.float32) for value in (1, 0.5, 0.25, 0.125)]
    on_gpu = [to_gpu(array, device=second_gpu) for array in arrays]
    fastadam.adam_step(*on_gpu, step=1)
    fastadam.adam_step(*arrays, step=1)
    for actual, expected in zip(on_gpu, arrays, strict=True):
        np.testing.assert_array_equal(to_cpu(actual), expected)
    assert gpu().current() != second_gpu


def test_devices_that_are_mixed_are_refused(second_gpu):
    here, there = (to_gpu(np.ones(5, np.float32), device=device) for device in (gpu().current(), second_gpu))
    with pytest.raises(ValueError, match=rf"params\[1\] is on GPU {second_gpu}, but params\[0\] is on GPU 0"):
        fastadam.Adam([here, there])
    optimizer = fastadam.Adam([here])
    with pytest.raises(ValueError, match=rf"grads\[0\] is on GPU {second_gpu}, but params\[0\] is on GPU 0"):
        optimizer.step([there])
    assert (to_cpu(here) == 1).all()
