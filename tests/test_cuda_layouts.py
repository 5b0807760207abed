"""Dimensions in any order in the memory of a GPU: the layouts of test_layouts.py."""

import io

import numpy as np
import pytest
from buffers import assert_same_bits
from test_layouts import DENSE, OTHERS, strided, values

import fastadam


def pair(device, layout, seed=0):
    """Equal values on the device with the strides of a layout, and on the CPU in C order."""
    array = device.upload(strided(*layout, values(layout[0], seed)))
    steps = zip(array.shape, array.strides, layout[1], strict=True)
    assert array.size == 0 or all(n == 1 or step == 4 * expected for n, step, expected in steps)
    return array, values(layout[0], seed)


def assert_same_state(device, optimizer, twin):
    for state, other in zip(optimizer._members.states, twin._members.states, strict=True):
        for name, array in state.items():
            assert_same_bits(np.ascontiguousarray(device.download(array)), np.ascontiguousarray(other[name]), name)


def assert_same(device, optimizer, twin):
    for array, other in zip(optimizer._members.params, twin._members.params, strict=True):
        assert_same_bits(np.ascontiguousarray(device.download(array)), other)
    assert_same_state(device, optimizer, twin)


@pytest.mark.parametrize("layout", DENSE.values(), ids=DENSE)
@pytest.mark.parametrize("capturable", [False, True])
def test_each_order_has_the_bits_of_c_order(device, layout, capturable):
    """With an average, which starts as a copy of the parameter, and state that goes to the CPU and comes back."""
    (param, other), (second, second_other) = pair(device, layout), pair(device, layout, 1)
    optimizer = fastadam.NAdam([param, second], ema_decay=0.5, capturable=capturable)
    twin = fastadam.NAdam([other, second_other], ema_decay=0.5)
    for t in range(3):
        grads = [pair(device, layout, 2 + t), pair(device, layout, 5 + t)]
        optimizer.step([grad for grad, _ in grads])
        twin.step([grad for _, grad in grads])
    assert_same(device, optimizer, twin)
    file = io.BytesIO()
    optimizer.save(file)
    expected = twin.state_dict()["state"]
    for i, state in optimizer.state_dict()["state"].items():
        for name, array in state.items():
            np.testing.assert_array_equal(array, expected[i][name])
    optimizer.step([pair(device, layout, 8)[0] for _ in range(2)])  # which the file takes back
    file.seek(0)
    optimizer.load(file)
    assert_same_state(device, optimizer, twin)


@pytest.mark.parametrize("layout", OTHERS.values(), ids=OTHERS)
def test_a_gradient_in_another_order_is_refused(device, layout):
    param, other = pair(device, layout)
    grad = device.upload(values(layout[0]))
    optimizer, twin = fastadam.Adam([param]), fastadam.Adam([other])
    with pytest.raises(ValueError, match=r"grads\[0\] is laid out otherwise than params\[0\] .*pass cupy.ascontiguousarray\(g"):
        optimizer.step([grad])
    assert_same(device, optimizer, twin)


@pytest.mark.parametrize("layout", OTHERS.values(), ids=OTHERS)
def test_the_norm_sums_in_the_order_of_memory(device, layout):
    array, _ = pair(device, layout)
    expected = fastadam.global_norm(strided(*layout, values(layout[0])))
    assert float(device.download(fastadam.global_norm([array]))) == expected
