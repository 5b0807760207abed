"""Several GPUs: a step runs where its arrays are, whichever device is the current one, and never across two."""

import numpy as np
import pytest
from buffers import assert_same_bits
from twins import LIST, ONE, Twins

import fastadam
from fastadam import reference
from fastadam.backends.cuda.cupy_runtime import gpu

F32 = np.float32


@pytest.mark.parametrize("capturable", [False, True], ids=["eager", "capturable"])
@pytest.mark.parametrize("sizes", [ONE, LIST], ids=["one", "list"])
def test_arrays_on_a_device_that_is_not_the_current_one(device, second, sizes, capturable):
    before = gpu().current()
    assert before != second
    twins = Twins(device, sizes, number=second, capturable=capturable)
    for _ in range(3):
        twins.step()
        twins.gpu.lr = twins.cpu.lr = 0.1
    assert gpu().current() == before
    twins.assert_same()
    for state in twins.gpu.state:
        assert state["exp_avg"].data.device_id == second


def test_devices_in_turn(device, second):
    """The kernels are compiled for each."""
    here, there = Twins(device, ONE), Twins(device, ONE, number=second)
    for _ in range(3):
        here.step()
        with gpu().on(second):
            there.step()
    here.assert_same()
    there.assert_same()


def test_what_keeps_no_state_elsewhere(device, second):
    """A step, a norm and a flat buffer."""
    arrays = [np.full(5000, value, F32) for value in (1, 0.5, 0.25, 0.125)]
    on_gpu = [device.upload(array, device=second) for array in arrays]
    norm, (flat, _) = fastadam.global_norm(on_gpu), fastadam.flatten(on_gpu)
    assert norm.data.device_id == flat.data.device_id == second
    assert device.download(norm) == reference.global_norm(arrays)
    np.testing.assert_array_equal(device.download(flat), np.concatenate(arrays))
    fastadam.adam_step(*on_gpu, step=1)
    fastadam.adam_step(*arrays, step=1)
    for actual, expected in zip(on_gpu, arrays, strict=True):
        assert_same_bits(device.download(actual), expected)
    assert gpu().current() != second


def test_devices_that_are_mixed_are_refused(device, second):
    here, there = (device.upload(np.ones(5, F32), device=number) for number in (0, second))
    optimizer = fastadam.Adam([here])
    for name, call in {
        "params[1]": lambda: fastadam.Adam([here, there]),
        "grads[0]": lambda: optimizer.step([there]),
        "grads[1]": lambda: fastadam.global_norm([here, there]),
        "arrays[1]": lambda: fastadam.flatten([here, there]),
    }.items():
        with pytest.raises(ValueError, match=r"is on GPU 1, but \w+\[0\] is on GPU 0") as error:
            call()
        assert str(error.value).startswith(f"{name} is on GPU {second}, but ")
    assert (device.download(here) == 1).all()
    assert optimizer.state[0]["step"] == 0
