"""The C interface: the bits of the reference, and refusals that say what was wrong and change nothing."""

import ctypes
from concurrent.futures import ThreadPoolExecutor

import c_interface
import numpy as np
import pytest
from buffers import Guarded, assert_same_bits, random_inputs
from c_interface import INVALID, OK, api

import fastadam
from fastadam import reference

DECAYS = [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}]


def test_table_says_what_it_is():
    assert (api.major, api.version.decode()) == (1, fastadam.__version__)
    assert api.isa().decode() == fastadam.active_isa()


@pytest.mark.parametrize("decay", DECAYS, ids=str)
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("states", [2, 3])
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000])
def test_adam_step_equals_the_reference(isa, size, states, maximize, decay):
    inputs = random_inputs(size, states)
    expected = [array.copy() for array in inputs]
    guarded = Guarded(inputs, offset=1)
    for step in (1, 2, 1000):
        status = c_interface.adam_step(*guarded.arrays, step=step, maximize=maximize, lr=0.1, **decay)
        assert status == OK
        reference.adam_step(*expected, step=step, maximize=maximize, lr=0.1, **decay)
    for actual, wanted in zip(guarded.arrays, expected, strict=True):
        assert_same_bits(actual, wanted)
    guarded.assert_guards_untouched()


def arrays(count=4, size=8):
    return [np.ones(size, np.float32) for _ in range(count)]


BAD_OPTIONS = {
    "lr": [-1.0, np.nan, np.inf],
    "beta1": [-0.1, 1.0, np.nan, 1 - 2.0**-30],
    "beta2": [-0.1, 1.0, np.nan, 1 - 2.0**-30],
    "eps": [-1e-8, np.nan, np.inf],
    "weight_decay": [-0.1, np.nan, np.inf],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD_OPTIONS.items() for value in values])
def test_bad_option(name, value):
    assert_refused(f"{name} is {value:.15g}; expected", arrays(), **{name: value})


@pytest.mark.parametrize(("name", "value"), [("step", 0), ("step", -1), ("size", -1), ("size", 2**62), ("threads", -1)])
def test_bad_number(name, value):
    assert_refused(f"{name} is {value}; expected", arrays(), **{"step": 1, name: value})


@pytest.mark.parametrize("k", range(4))
def test_null(k):
    name = ["param", "grad", "exp_avg", "exp_avg_sq"][k]
    given = [None if i == k else array for i, array in enumerate(arrays())]
    assert_refused(f"{name} is NULL; expected the address of 8 floats", given, size=8)


@pytest.mark.parametrize("k", range(5))
def test_misaligned(k):
    name = ["param", "grad", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"][k]
    given = [array.ctypes.data + (i == k) for i, array in enumerate(arrays(5, 9))]
    assert_refused(f"{name} is not aligned; expected", given, size=8)


def test_no_options():
    nothing = ctypes.POINTER(c_interface.AdamOptions)()
    assert_refused("options is NULL; expected", arrays(), options=nothing)


@pytest.mark.parametrize(("i", "j"), [(0, 1), (0, 2), (1, 3), (2, 3)])
def test_overlap(i, j):
    room, given = np.ones(20, np.float32), arrays()
    given[i], given[j] = room[:8], room[7:15]
    message = assert_refused("shares memory with", given)
    names = ["param", "grad", "exp_avg", "exp_avg_sq"]
    assert {names[i], names[j]} == {message.split()[0], message.split(";")[0].split()[-1]}


def assert_refused(message, given, step=1, **options):
    kept = [array for array in given if isinstance(array, np.ndarray)]
    before = [array.copy() for array in kept]
    size = options.pop("size", 8)
    assert c_interface.adam_step(*given, step=step, size=size, **options) == INVALID
    text = api.error().decode()
    assert message in text
    for array, old in zip(kept, before, strict=True):
        assert_same_bits(array, old)
    return text


def test_error_is_the_threads_own():
    assert c_interface.adam_step(*arrays(), step=0) == INVALID
    with ThreadPoolExecutor(1) as other:
        assert other.submit(c_interface.adam_step, *arrays(), step=1, lr=-1.0).result() == INVALID
        assert "lr is" in other.submit(api.error).result().decode()
    assert "step is 0" in api.error().decode()
