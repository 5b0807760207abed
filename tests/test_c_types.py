"""Arrays of several types through the C interface: what does not belong together is refused, and nothing is changed."""

import ctypes
import re

import c_interface
import numpy as np
import pytest
from c_interface import INVALID, OK, Array, Rule, Tensors, api, described

F32, F64 = np.float32, np.float64
SGD = {"lr": 1.0, "momentum": 0.5, "dampening": 0.0, "weight_decay": 0.0}


def ones(dtype, count=3):
    return [np.ones(4, dtype) for _ in range(count)]


def refused(message, status):
    assert status == INVALID
    assert message in api.error().decode()


def test_a_type_that_there_is_not():
    assert not api.rule_new_for(2, b"sgd", None, 0)
    assert "dtype is 2; expected FASTADAM_FLOAT32 (0) or FASTADAM_FLOAT64 (1)" in api.error().decode()


def test_a_rule_of_float64_takes_what_rounds_away_in_float32_and_keeps_its_type():
    options = {"lr": 1e-300, "beta1": 0.9, "beta2": 1 - 1e-12, "eps": 1e-8, "weight_decay": 0.0}
    with pytest.raises(ValueError, match=r"beta2 is 0\.9999"):
        Rule("adam", options)
    rule = Rule("adam", options, "float64")
    assert rule.set("beta2", 1 - 1e-13) == OK
    assert rule.step(*ones(F64, 4), step=1) == OK


@pytest.mark.parametrize("k", range(3))
def test_an_array_of_another_type(k):
    name = ["param", "grad", "states[0]"][k]
    rule, arrays = Rule("sgd", SGD, "float64"), ones(F64)
    arrays[k] = np.ones(4, F32)
    refused(f"{name}.dtype is that of float32; expected float64", rule.step(*arrays, step=1))
    if name == "states[0]":
        refused(f"{name}.dtype is that of float32", rule.init_states(arrays[0], arrays[2]))
    assert all((array == 1).all() for array in arrays)


def test_descriptions_that_are_none():
    rule, good = Rule("sgd", SGD, "float64"), [described(array) for array in ones(F64)]
    param, grad, state = good

    def step(*arrays):
        return api.rule_step_arrays(rule.pointer, *arrays, 4, 1, 0)

    refused("param is NULL; expected the address of a fastadam_array", step(None, grad, state))
    refused("grad is NULL; expected the address of a fastadam_array", step(param, None, state))
    refused("states is NULL; expected the addresses of 1 arrays", step(param, grad, None))
    refused("states[0] is NULL; expected the address of 4 doubles", step(param, grad, Array(None, None, 1)))
    refused("grad.dtype is 9; expected FASTADAM_FLOAT32", step(param, Array(grad.elements, None, 9), state))
    refused("grad.scales is not NULL", step(param, Array(grad.elements, grad.elements, 1), state))
    refused("grad is not aligned; expected an address aligned to 8", step(param, Array(grad.elements + 4, None, 1), state))
    refused("param shares memory with states[0]", step(param, grad, param))
    options = c_interface.AdamOptions(0.1, 0.9, 0.999, 1e-8)
    refused("param is NULL", api.adam_step_arrays(None, grad, state, state, None, 4, 1, options, 0))
    refused("exp_avg is NULL", api.adam_step_arrays(param, grad, None, state, None, 4, 1, options, 0))
    sizes, norm = (ctypes.c_int64 * 2)(4, 4), ctypes.c_double()
    mixed = (Array * 2)(grad, described(np.ones(4, F32)))
    refused("grads[1].dtype is that of float32; expected float64", api.global_norm_arrays(mixed, sizes, 2, 0, norm))


def test_functions_for_floats_refuse_a_rule_for_doubles():
    rule, arrays = Rule("sgd", SGD, "float64"), ones(F32)
    memory = (c_interface.FLOATS * 1)(c_interface.address(arrays[2]))
    pointers = [c_interface.address(array) for array in arrays[:2]]
    words = "rule is for float64; expected float32; use the function for arrays"
    refused(words, api.rule_step(rule.pointer, *pointers, memory, 4, 1, 0))
    refused(words, api.rule_init_states(rule.pointer, pointers[0], memory, 4))
    rule.describes = False
    with pytest.raises(ValueError, match=re.escape("groups[0].rule is for float64; expected float32")):
        Tensors([(rule, [[arrays[0], arrays[2]]])])
    assert all((array == 1).all() for array in arrays)


def test_tensors_of_one_type_alone():
    doubles, floats = ones(F64), ones(F32)
    rules = [Rule("sgd", SGD, dtype) for dtype in ("float64", "float32")]
    with pytest.raises(ValueError, match=re.escape("groups[1].rule is for float32; expected float64")):
        Tensors([(rules[0], [[doubles[0], doubles[2]]]), (rules[1], [[floats[0], floats[2]]])])
    with pytest.raises(ValueError, match=re.escape("tensor 0's states[0].dtype is that of float32; expected float64")):
        Tensors([(rules[0], [[doubles[0], floats[2]]])])
    tensors = Tensors([(rules[0], [[doubles[0], doubles[2]]])])
    refused("grads[0].dtype is that of float32; expected float64", tensors.step([floats[1]]))
    refused("grads[0] is not aligned", api.tensors_step_arrays(tensors.pointer, Array(4, None, 1), None, 0, None))
    refused("grads[0].scales is not NULL", api.tensors_step_arrays(tensors.pointer, Array(8, 8, 1), None, 0, None))
    refused("tensors is for float64; expected float32", api.tensors_step(tensors.pointer, None, None, 0, None))
    refused("grad_scale is inf; expected a number that is finite in float64", tensors.step([doubles[1]], grad_scale=np.inf))
    refused("rule keeps other states", api.tensors_set_rule(tensors.pointer, 0, rules[1].pointer))
    assert not api.tensors_new_arrays(None, 1)
    assert "groups is NULL" in api.error().decode()
    assert all((array == 1).all() for array in doubles + floats)
    assert tensors.step([None]) == OK  # of which the type does not matter
    assert tensors.step([doubles[1]], grad_scale=1e300) == OK
    assert doubles[0].tolist() == [1 - 1e300 - 0.5] * 4
    assert tensors.steps == [1]
