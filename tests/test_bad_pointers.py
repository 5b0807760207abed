"""NULL, and objects that were never initialized, wherever C or the native module takes something else: refused, no crash."""

import ctypes
import inspect

import c_interface
import numpy as np
import pytest
from buffers import assert_same_bits
from c_interface import INVALID, OK, Option, api

import fastadam
from fastadam import _native

SIZE = 5
SGD = {"lr": 0.1, "momentum": 0.9, "dampening": 0.0, "weight_decay": 0.0}
ADAM_NUMBERS = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.0}

# What each function of the table takes, by name: arguments that fit. Those that may be NULL, because it says nothing or
# because there is nothing at it, are named too.
room = np.arange(4 * SIZE, dtype=np.float32).reshape(4, SIZE) + 1
rule = c_interface.Rule("sgd", SGD)
none = c_interface.Rule("sgd", SGD | {"momentum": 0.0})
address = [row.ctypes.data for row in room]
states = (ctypes.c_void_p * 1)(address[2])
sizes = (ctypes.c_int64 * 2)(SIZE, SIZE)
grads = (ctypes.c_void_p * 2)(address[1], address[3])
options = ctypes.pointer(c_interface.AdamOptions(**ADAM_NUMBERS))
named = (Option * len(SGD))(*[Option(name.encode(), value) for name, value in SGD.items()])
norm = ctypes.c_double(-1.0)
tensors = c_interface.Tensors([(rule, [[room[0], room[2]]])])
step_options = ctypes.pointer(c_interface.StepOptions(1.0, 0.0, 0.0, 0))
CALLS = {
    "adam_step": (
        {"param": address[0], "grad": address[1], "exp_avg": address[2], "exp_avg_sq": address[3]}
        | {"max_exp_avg_sq": None, "size": SIZE, "step": 1, "options": options, "threads": 1},
        {"max_exp_avg_sq"},
    ),
    "rule_set": ({"rule": rule.pointer, "option": b"lr", "value": 0.1}, set()),
    "rule_step": (
        {
            "rule": rule.pointer,
            "param": address[0],
            "grad": address[1],
            "states": states,
            "size": SIZE,
            "step": 1,
            "threads": 1,
        },
        set(),
    ),
    "global_norm": ({"grads": grads, "sizes": sizes, "count": 2, "threads": 1, "norm": ctypes.pointer(norm)}, set()),
    "rule_init_states": (
        {"rule": rule.pointer, "param": address[0], "states": states, "size": SIZE},
        {"param"},  # SGD's states begin with zeros
    ),
    "tensors_step": (
        {"tensors": tensors.pointer, "grads": grads, "options": step_options, "threads": 1, "norm": ctypes.pointer(norm)},
        {"options", "norm"},
    ),
    "tensors_set_rule": ({"tensors": tensors.pointer, "group": 0, "rule": rule.pointer}, set()),
}
arrays = [ctypes.pointer(c_interface.described(row)) for row in room]
gradients = c_interface.arrays_of([room[1], room[3]])
DESCRIBED = {
    "adam_step": dict(zip(("param", "grad", "exp_avg", "exp_avg_sq"), arrays, strict=True)),
    "rule_step": dict(zip(("param", "grad", "states"), arrays, strict=False)),
    "rule_init_states": {"param": arrays[0], "states": arrays[2]},
    "global_norm": {"grads": gradients},
    "tensors_step": {"grads": gradients},
}
for name, given in DESCRIBED.items():
    CALLS[f"{name}_arrays"] = CALLS[name][0] | given, CALLS[name][1] - {"param"}


def is_number(value):
    """Not an address."""
    return isinstance(value, float) or (isinstance(value, int) and value < 2**16)


NULLS = [
    (function, argument) for function, (given, _) in CALLS.items() for argument, value in given.items() if not is_number(value)
]


@pytest.mark.parametrize(("function", "argument"), NULLS)
def test_null_is_refused_and_changes_nothing(function, argument):
    given, may_be_null = CALLS[function]
    before, old_norm = room.copy(), norm.value
    status = getattr(api, function)(*(given | {argument: None}).values())
    if argument in may_be_null:
        assert status == OK
        room[...] = before
        return
    assert status == INVALID
    assert argument in api.error().decode()
    assert "is NULL" in api.error().decode()
    assert_same_bits(room, before)
    assert norm.value == old_norm
    param = np.ones(3, np.float32)
    assert rule.step(param, param.copy(), np.zeros(3, np.float32), step=2) == OK  # the rule is as it was
    np.testing.assert_array_equal(param, np.float32(1) - np.float32(0.1))


@pytest.mark.parametrize("function", CALLS)
def test_all_null_is_refused(function):
    arguments = [value if is_number(value) else None for value in CALLS[function][0].values()]
    assert getattr(api, function)(*arguments) == INVALID
    assert "is NULL" in api.error().decode()


def test_a_rule_that_failed_is_null_and_no_function_crashes_on_it():
    for name, pairs, count in [
        (None, named, 1),
        (b"no rule", named, len(SGD)),
        (b"sgd", None, 1),
        (b"sgd", None, 2**31 - 1),
        (b"sgd", named, -1),
        (b"sgd", (Option * 1)(Option(None, 1.0)), 1),
        (b"sgd", None, 0),
    ]:
        failed = api.rule_new(name, pairs, count)
        assert failed is None
        assert api.error() != b""
        assert api.rule_state_count(failed) == -1
        assert api.error().decode() == "rule is NULL; expected a rule from rule_new"
        assert api.rule_set(failed, b"lr", 0.1) == INVALID
        assert api.rule_init_states(failed, None, None, 0) == INVALID
        assert api.rule_step(failed, None, None, None, 0, 1, 0) == INVALID
        api.rule_free(failed)


def test_nothing_may_be_at_null():
    """No elements, no arrays, no states."""
    assert api.adam_step(None, None, None, None, None, 0, 1, options, 0) == OK
    assert api.rule_step(none.pointer, None, None, None, 0, 1, 0) == OK
    assert api.rule_step(rule.pointer, None, None, (ctypes.c_void_p * 1)(), 0, 1, 0) == OK
    assert api.rule_init_states(none.pointer, None, None, SIZE) == OK
    result = ctypes.c_double(-1.0)
    assert api.global_norm(None, None, 0, 0, result) == OK
    assert result.value == 0
    assert api.global_norm((ctypes.c_void_p * 2)(), (ctypes.c_int64 * 2)(), 2, 0, result) == OK
    assert result.value == 0


def test_everything_in_the_table_is_tried():
    functions = {name for name, _ in c_interface.Api._fields_} - {"major", "minor", "version", "error", "isa"}
    without_status = {"rule_new", "rule_new_for", "rule_free", "rule_state_count"}
    in_test_c_tensors = {"tensors_new", "tensors_free", "tensors_steps", "tensors_skipped", "set_threads"}
    in_test_c_types = {"tensors_new_arrays"}
    assert functions == {*CALLS} | without_status | in_test_c_tensors | in_test_c_types


RULE = _native.Rule("adam", ADAM_NUMBERS)
# The native classes, with arguments of their methods and of operators.
ARGUMENTS = {
    "StepOptions": {"__bytes__": (), "__repr__": ()},
    "Rule": {"keeps_states_of": (RULE,)},
    "Schedules": {"ask": ((), 0), "set": ((), [])},
    "OwnedMemory": {"expect_apart": ([], [])},
    "TorchTensors": {"step": ([], {}, _native.StepOptions(), 0), "states": ({},)},
    "Turns": {},
    "Turn": {"__enter__": (), "__exit__": (None, None, None)},
    "Change": {"__enter__": (), "__exit__": (None, None, None)},
    "Tensors": {"set_rules": ([],), "step": ([], _native.StepOptions(), 0)},
}
CLASSES = [value for value in vars(_native).values() if inspect.isclass(value) and not issubclass(value, Exception)]


def members(cls):
    """Its methods and properties, but those that every class has."""
    kept = {"__init__", "__new__", "__module__", "__doc__"}
    return [name for name in vars(cls) if name not in kept and not name.startswith("_pybind11")]


def bare(cls):
    """Instances that no __init__ has made, of the class and of one derived from it, and one whose __init__ failed."""
    failed = cls.__new__(cls)
    with pytest.raises(TypeError):
        failed.__init__(*[None] * 7)
    derived = type("Derived", (cls,), {})
    return [cls.__new__(cls), derived.__new__(derived), failed, None]


@pytest.mark.parametrize(("cls", "name"), [(cls, name) for cls in CLASSES for name in members(cls)])
def test_an_uninitialized_object_refuses(cls, name):
    arguments = ARGUMENTS[cls.__name__]
    for instance in bare(cls):
        member = vars(cls)[name]
        call = member.fget if isinstance(member, property) else member
        with pytest.raises(TypeError, match="incompatible function arguments"):
            call(instance, *arguments.get(name, ()))


@pytest.mark.parametrize(
    "call",
    [
        lambda rule, _: _native.cuda_coefficients(rule, 1),
        lambda rule, _: RULE.keeps_states_of(rule),
        lambda rule, _: _native.Tensors([], [], [0], [rule], []),
        lambda rule, _: _native.Tensors([], [], [], [], []).set_rules([rule]),
        lambda _, options: _native.Tensors([], [], [], [], []).step([], options, 1),
        lambda _, options: _native.cuda_gradients(options, RULE, 0),
    ],
)
def test_an_uninitialized_argument_is_refused(call):
    for rule, options in zip(bare(_native.Rule), bare(_native.StepOptions), strict=True):
        with pytest.raises(TypeError, match=r"incompatible (function|constructor) arguments"):
            call(rule, options)


def test_lists_of_different_lengths_are_refused():
    memory = _native.OwnedMemory([[4], [1000]], [1, 1])
    for grads, sizes in [([8], []), ([], [8]), ([8, 16], [1])]:
        with pytest.raises(ValueError, match="expected a size for each tensor"):
            memory.expect_apart(grads, sizes)
        with pytest.raises(ValueError, match="expected a size for each tensor"):
            _native.OwnedMemory([[grad] for grad in grads], sizes)
    assert fastadam.global_norm([]) == 0
