"""Many tensors through the C interface: the bits of an optimizer in Python, and refusals that change nothing."""

import ctypes
import re

import c_interface
import numpy as np
import pytest
from buffers import assert_same_bits, random_inputs
from c_interface import DTYPES, INVALID, OK, Rule, Tensors, api, options_of
from variants import ONE_OF_EACH

import fastadam
from fastadam import _native

ADAM = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
SIZES = (0, 1, 17, 1000, 70_001)
STEP_OPTIONS = [
    {},
    {"grad_scale": 0.5},
    {"grad_scale": -2.0, "clip_value": 0.25},
    {"max_norm": 1.0},
    {"max_norm": np.inf},
    {"skip_nonfinite": 1, "clip_value": 0.5},
]


def in_python(options):
    """The same options by Optimizer.step's names and types."""
    return {name: bool(value) if name == "skip_nonfinite" else value for name, value in options.items()}


def rule_of(variant, dtype=None, **more):
    return Rule(variant.rule.name, options_of(variant) | more, dtype)


def copies(arrays):
    return [array.copy() for array in arrays]


@pytest.mark.parametrize("dtype", [None, *DTYPES])
@pytest.mark.parametrize("averaging", [False, True], ids=["", "averaging"])
@pytest.mark.parametrize("variant", ONE_OF_EACH, ids=str)
def test_steps_have_the_bits_of_python(variant, averaging, dtype):
    """Two groups, one of which averages, over steps with each of the options."""
    ema = {"ema_decay": 0.75} if averaging else {}
    inputs = [random_inputs(size, 1, special=0.0, seed=size, dtype=dtype or "float32") for size in SIZES]
    params, grads = [copies(arrays[i] for arrays in inputs) for i in range(2)]
    optimizer = variant.make([{"params": params[:2]}, {"params": params[2:], **ema}])
    mine = copies(params)
    rules = rule_of(variant, dtype), rule_of(variant, dtype, **ema)
    assert [rule.state_count for rule in rules] == [variant.states, variant.states + averaging]
    states = [[np.full_like(param, np.nan) for _ in range(rules[i >= 2].state_count)] for i, param in enumerate(mine)]
    for i, (param, arrays) in enumerate(zip(mine, states, strict=True)):
        assert rules[i >= 2].init_states(param, *arrays) == OK
    whole = [[param, *arrays] for param, arrays in zip(mine, states, strict=True)]
    tensors = Tensors([(rules[0], whole[:2]), (rules[1], whole[2:])])
    norm = ctypes.c_double()
    for k, options in enumerate(STEP_OPTIONS):
        given = [None if i == k and grad.size else grad for i, grad in enumerate(grads)]
        wants_norm = "max_norm" in options or "skip_nonfinite" in options
        expected = optimizer.step(given, **in_python(options))
        assert tensors.step(given, threads=k % 3, norm=norm if wants_norm else None, **options) == OK
        assert expected == (norm.value if wants_norm else None)
    for param, arrays, theirs, state in zip(mine, states, params, optimizer.state, strict=True):
        assert_same_bits(param, theirs)
        for array, name in zip(arrays, [name for name in state if name != "step"], strict=True):
            assert_same_bits(array, state[name], name)
    assert tensors.steps == [state["step"] for state in optimizer.state]
    assert tensors.skipped == 0


def sgd(**options):
    return Rule("sgd", {"lr": 1.0, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0} | options)


def test_a_schedule_sets_the_rule_of_a_group():
    param, grad = np.zeros(3, np.float32), np.ones(3, np.float32)
    rule = sgd()
    tensors = Tensors([(sgd(), []), (rule, [[param]])])
    assert tensors.step([grad]) == OK
    assert rule.set("lr", 4.0) == OK
    assert tensors.step([grad]) == OK  # the rule was copied
    assert (param == -2).all()
    assert api.tensors_set_rule(tensors.pointer, 1, rule.pointer) == OK
    assert tensors.step([grad]) == OK
    assert (param == -6).all()
    for group, other, message in [
        (2, rule, "group is 2; expected a number from 0 to 1"),
        (-1, rule, "group is -1; expected"),
        (1, sgd(momentum=0.5), "rule keeps other states"),
        (1, sgd(ema_decay=0.5), "rule keeps other states"),
    ]:
        assert api.tensors_set_rule(tensors.pointer, group, other.pointer) == INVALID
        assert message in api.error().decode()
    assert tensors.step([grad]) == OK
    assert (param == -10).all()


def test_a_rule_that_was_set_stays_when_another_groups_is():
    params, grad = [np.zeros(3, np.float32) for _ in range(2)], np.ones(3, np.float32)
    tensors = Tensors([(sgd(), [[param]]) for param in params])
    for group, lr in [(0, 4.0), (1, 2.0)]:
        assert api.tensors_set_rule(tensors.pointer, group, sgd(lr=lr).pointer) == OK
    assert tensors.step([grad, grad]) == OK
    assert [param.tolist() for param in params] == [[-4.0] * 3, [-2.0] * 3]


def test_step_counts_may_be_brought_and_set():
    arrays = random_inputs(5, 2, special=0.0)
    expected = copies(arrays)
    tensors = Tensors([(Rule("adam", ADAM), [[arrays[0], *arrays[2:]]])], steps=6)
    assert tensors.step([arrays[1]]) == OK
    fastadam.reference.adam_step(*expected, step=7)
    api.tensors_steps(tensors.pointer)[0] = 99
    assert tensors.step([arrays[1]]) == OK
    fastadam.reference.adam_step(*expected, step=100)
    for array, wanted in zip(arrays, expected, strict=True):
        assert_same_bits(array, wanted)


def test_a_skipped_step_is_counted_and_changes_nothing():
    param, grad = np.zeros(3, np.float32), np.array([1, np.inf, 1], np.float32)
    tensors = Tensors([(sgd(), [[param]])])
    assert tensors.step([grad], skip_nonfinite=1) == OK
    assert (tensors.skipped, tensors.steps) == (1, [0])
    assert (param == 0).all()


def expect_refused(message, call, *unchanged):
    before = copies(unchanged)
    status = call()
    assert status == INVALID
    assert message in api.error().decode()
    for array, old in zip(unchanged, before, strict=True):
        assert_same_bits(array, old)


def test_bad_steps():
    params, grads = np.zeros((2, 2, 3), np.float32), np.ones((2, 3), np.float32)
    tensors = Tensors([(sgd(momentum=0.5), [list(params[:, i]) for i in range(2)])])
    good = list(grads)
    for message, call in [
        ("grads is NULL; expected", lambda: api.tensors_step(tensors.pointer, None, None, 0, None)),
        ("tensors is NULL; expected", lambda: api.tensors_step(None, None, None, 0, None)),
        ("threads is -1; expected", lambda: tensors.step(good, threads=-1)),
        ("grads[1] is not aligned; expected", lambda: tensors.step([good[0], good[1].ctypes.data + 1])),
        ("grads[1] shares memory with tensor 0's states[0]", lambda: tensors.step([good[0], params[1, 0]])),
        ("grad_scale is nan; expected", lambda: tensors.step(good, grad_scale=np.nan)),
        ("grad_scale is inf; expected", lambda: tensors.step(good, grad_scale=np.inf)),
        ("clip_value is -1.000000; expected", lambda: tensors.step(good, clip_value=-1.0)),
        ("max_norm is nan; expected", lambda: tensors.step(good, max_norm=np.nan)),
        ("skip_nonfinite is 2; expected", lambda: tensors.step(good, skip_nonfinite=2)),
    ]:
        expect_refused(message, call, params, grads)
    api.tensors_steps(tensors.pointer)[1] = 2**63 - 1
    expect_refused("tensors_steps[1] is out of range", lambda: tensors.step(good), params)
    assert tensors.steps == [0, 2**63 - 1]


def test_bad_tensors():
    room = np.zeros(20, np.float32)
    for message, tensors in [
        ("tensor 0's param is NULL; expected the address of 20 floats", [[None, room]]),
        ("tensor 1's states[0] is NULL; expected", [[room[:4], room[4:8]], [room[8:12], None]]),
        ("tensor 0's param shares memory with tensor 1's param", [[room[:4], room[4:8]], [room[3:7], room[8:12]]]),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            Tensors([(sgd(momentum=0.5), tensors)])
    for pointer, count in [(None, 1), (None, -1)]:
        assert not api.tensors_new(pointer, count)
        assert "groups is NULL or group_count is negative" in api.error().decode()
    nobody = c_interface.Group(None, None, 0)
    assert not api.tensors_new(nobody, 1)
    assert "groups[0].rule is NULL" in api.error().decode()
    crowd = c_interface.Group(sgd().pointer, None, 1)
    assert not api.tensors_new(crowd, 1)
    assert "groups[0].tensors is NULL" in api.error().decode()
    stateless = c_interface.Tensor(room.ctypes.data, None, 3, 0)
    rule = sgd(momentum=0.5)
    assert not api.tensors_new(c_interface.Group(rule.pointer, ctypes.pointer(stateless), 1), 1)
    assert "tensor 0's states is NULL" in api.error().decode()
    api.tensors_free(None)
    assert not api.tensors_steps(None)
    assert api.tensors_skipped(None) == -1


def test_set_threads():
    before = fastadam.get_num_threads()
    try:
        assert api.set_threads(1) == OK
        assert fastadam.get_num_threads() == 1
        assert api.set_threads(0) == INVALID
        assert "threads is 0; expected a number of threads" in api.error().decode()
    finally:
        _native.set_default_threads(before)
