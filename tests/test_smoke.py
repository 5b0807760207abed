"""If you can run only one file of tests, run this: it takes seconds, and needs nothing but NumPy and pytest.

It runs every rule, instruction set and interface of the package in a small case. The other tests examine each of them more
closely.
"""

import copy

import c_interface
import numpy as np
import pytest
from buffers import assert_same_bits, random_inputs
from refusals import F32, everything, refuses
from variants import KINDS, ONE_OF_EACH, VARIANTS

import fastadam
from fastadam import reference

SIZE = 1003  # not a whole number of any vectors


@pytest.mark.parametrize("name", KINDS)
def test_every_rule_gives_the_bits_of_its_reference(name, isa, eager_threads):
    """With all its options, on one thread and on three; with the average of the parameter."""
    for variant in (variant.averaged for variant in VARIANTS if variant.rule_name == name):
        for threads in (1, 3):
            param, grad, *_ = random_inputs(SIZE, 0, special=0.0)
            expected = param.copy()
            optimizer = variant.make(param)
            states = {key: array.copy() for key, array in optimizer.state.items() if key != "step"}
            for step in (1, 2, 3):
                optimizer.step(grad, num_threads=threads)
                variant.reference(expected, grad, *states.values(), step=step)
            assert_same_bits(param, expected, f"{variant} on {threads} threads")
            for key, array in states.items():
                assert_same_bits(optimizer.state[key], array, f"{variant} on {threads} threads: {key}")


def test_large_arrays_are_cut_into_threads(isa):
    param, grad, *_ = random_inputs(200_003, 0, special=0.0)
    expected, states = param.copy(), np.zeros((2, param.size), F32)
    fastadam.Adam(param).step(grad, num_threads=4)
    reference.adam_step(expected, grad, *states, step=1)
    assert_same_bits(param, expected)
    assert fastadam.global_norm(grad, num_threads=4) == reference.global_norm([grad])


def test_groups_schedules_and_missing_gradients(isa):
    params = [*np.ones((3, 5), F32)]
    grads = [np.ones(5, F32), np.ones(5, F32), None]
    optimizer = fastadam.SGD([{"params": params[0], "lr": lambda t: 0.5 if t == 0 else 0.25}, {"params": params[1:]}], lr=0.125)
    optimizer.step(grads)
    optimizer.step(grads)
    optimizer.param_groups[1]["lr"] = 1.0
    optimizer.step([None, *grads[1:]])
    np.testing.assert_array_equal([param[0] for param in params], [0.25, -0.25, 1.0])
    assert [int(state["step"]) for state in optimizer.state] == [2, 3, 0]


def test_scaling_and_clipping(isa):
    grad = np.array([3, -4, 0], F32)
    for options, change, norm in [
        ({"grad_scale": 0.5}, [1.5, -2, 0], None),
        ({"clip_value": 1.0}, [1, -1, 0], None),
        ({"max_norm": 2.5}, [1.5, -2, 0], 5.0),
        ({"max_norm": 5.0, "grad_scale": 2.0, "clip_value": 3.5}, [3, -3.5, 0], 10.0),
    ]:
        param = np.zeros(3, F32)
        assert fastadam.SGD(param, lr=1.0).step(grad, **options) == norm
        np.testing.assert_array_equal(-param, np.array(change, F32))
    optimizer = fastadam.SGD(param, lr=1.0)
    assert np.isnan(optimizer.step(np.array([np.nan, 1, 1], F32), skip_nonfinite=True))
    assert optimizer.skipped_steps == 1
    np.testing.assert_array_equal(-param, np.array(change, F32))


@pytest.mark.parametrize("variant", ONE_OF_EACH, ids=str)
def test_a_refusal_names_the_argument_and_changes_nothing(variant):
    params = [np.ones(5, F32), np.ones(7, F32)]
    optimizer = variant.make(params)
    grads = [np.ones(5, F32), np.ones(7, F32)]
    optimizer.step(grads)
    for bad, error, words in [
        (np.ones(7), TypeError, ("grads[1] has dtype", "expected float32")),
        (np.ones(6, F32), ValueError, ("grads[1] has shape (6,)", "expected (7,)")),
        (params[1], ValueError, ("grads[1] shares memory with params[1]",)),
    ]:
        step = [grads[0], bad]
        refuses(lambda step=step: optimizer.step(step), error, words, everything(optimizer, params), optimizer)
    refuses(lambda: setattr(optimizer, "lr", -1.0), ValueError, ("lr is -1.0",), everything(optimizer, params), optimizer)


@pytest.mark.parametrize("variant", ONE_OF_EACH, ids=str)
def test_saving_loading_and_copying(variant, tmp_path):
    grads = [*np.random.default_rng(0).standard_normal((4, SIZE)).astype(F32)]
    param = np.ones(SIZE, F32)
    optimizer = variant.make(param)
    optimizer.step(grads[0])
    optimizer.save(tmp_path / "state")
    (loaded, copied), parameters = (variant.make(param.copy()), copy.deepcopy(optimizer)), []
    loaded.load(tmp_path / "state")
    for each in (optimizer, loaded, copied):
        for grad in grads[1:]:
            each.step(grad)
        parameters.append(each.param_groups[0]["params"][0])
    for other, array in zip((loaded, copied), parameters[1:], strict=True):
        assert_same_bits(array, param)
        for key in optimizer.state:
            assert_same_bits(np.atleast_1d(other.state[key]), np.atleast_1d(optimizer.state[key]), key)


def test_the_c_interface_is_there(isa):
    """Its table is called through ctypes."""
    param, grad = np.ones((2, SIZE), F32)
    assert c_interface.api.version.decode() == fastadam.__version__
    assert c_interface.api.isa().decode() == isa
    rule = c_interface.Rule("sgd", {"lr": 0.5, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0})
    assert rule.step(param, grad, step=1) == c_interface.OK
    assert (param == 0.5).all()
    assert c_interface.global_norm([np.array([3, 4], F32)]) == 5.0
    assert rule.step(param, grad, step=0) == c_interface.INVALID
    assert "step is 0" in c_interface.api.error().decode()


def test_flat_buffers_and_what_the_build_says():
    flat, views = fastadam.flatten([np.ones((2, 3), F32), np.zeros(2, F32)])
    fastadam.SGD(flat, lr=0.5).step(np.ones(8, F32))
    assert (views[0] == 0.5).all()
    assert (views[1] == -0.5).all()
    build = fastadam.build_info()
    assert build["version"] == fastadam.__version__
    assert {*fastadam.available_isas()} <= {*build["isas"]}
    assert fastadam.get_num_threads() >= 1
