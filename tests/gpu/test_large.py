"""Arrays of more than 2**31 elements: every element is stepped, once."""

import numpy as np
import pytest
from buffers import assert_same_bits, random_inputs
from gpu.arrays import to_cpu, to_gpu, write

import fastadam

pytestmark = pytest.mark.gpu

SIZE = 2**31 + 2003
WINDOW = 1000
PIECE = 2**27  # what CuPy fills and compares at a time: its large indices are not what is tested
# What an element's index or address would be cut to if one of them were kept in 32 bits, signed or not, in bytes or floats.
EDGES = [2**29, 2**30, 2**31]
EVERYWHERE = (1.0, 0.5, 0.25, 0.125)  # parameter, gradient, moments


def windows():
    """Where the arrays hold something else than everywhere."""
    starts = [0, *(edge - WINDOW // 2 for edge in EDGES if edge < SIZE), SIZE - WINDOW]
    return [slice(start, start + WINDOW) for start in starts]


def fill(array, value, role):
    """`value` everywhere but in the windows; returns what is there."""
    for start in range(0, SIZE, PIECE):
        array[start : start + PIECE].fill(value)
    contents = [random_inputs(WINDOW, 2, seed=k)[role] for k, _ in enumerate(windows())]
    for window, values in zip(windows(), contents, strict=True):
        write(array[window], values)
    return contents


@pytest.mark.parametrize("listed", [False, True], ids=["alone", "in-a-list"])
def test_more_than_two_to_the_31_elements(cupy, room_for, listed):
    room_for(4 * 4 * SIZE + 4 * PIECE)
    param, grad = (cupy.empty(SIZE, np.float32) for _ in range(2))
    small = [to_gpu(np.ones(5, np.float32)) for _ in range(2)]
    optimizer = fastadam.Adam([small[0], param] if listed else [param])
    state = optimizer.state[-1]
    arrays = (param, grad, state["exp_avg"], state["exp_avg_sq"])
    contents = [fill(array, value, role) for role, (array, value) in enumerate(zip(arrays, EVERYWHERE, strict=True))]

    optimizer.step([small[1], grad] if listed else [grad])

    for k, window in enumerate(windows()):
        expected = [values[k] for values in contents]
        fastadam.reference.adam_step(*expected, step=1)
        for array, values, name in zip(arrays, expected, ("param", "grad", "m", "v"), strict=True):
            assert_same_bits(to_cpu(array[window]), values, f"in {name}, {window}")
    everywhere = [np.full(1, value, np.float32) for value in EVERYWHERE]
    fastadam.reference.adam_step(*everywhere, step=1)
    for array, (value,), name in zip(arrays, everywhere, ("param", "grad", "m", "v"), strict=True):
        for window in windows():
            array[window].fill(value)
        for start in range(0, SIZE, PIECE):
            assert bool((array[start : start + PIECE] == value).all()), f"{name}, from element {start} on"
