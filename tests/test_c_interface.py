"""The C interface: the bits of the reference, and refusals that say what was wrong and change nothing."""

import ctypes
import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import c_interface
import numpy as np
import pytest
from buffers import Guarded, assert_same_bits, random_inputs
from c_interface import DTYPES, INVALID, OK, api, options_of
from variants import ONE_OF_EACH, VARIANTS, hyperparameters

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
@pytest.mark.parametrize("dtype", [None, *DTYPES])
def test_adam_step_equals_the_reference(isa, dtype, size, states, maximize, decay):
    inputs = random_inputs(size, states, dtype=dtype or "float32")
    expected = [array.copy() for array in inputs]
    guarded = Guarded(inputs, offset=1)
    for step in (1, 2, 1000):
        how = {"step": step, "maximize": maximize, "lr": 0.1, "describes": dtype is not None}
        status = c_interface.adam_step(*guarded.arrays, **how, **decay)
        assert status == OK
        reference.adam_step(*expected, step=step, maximize=maximize, lr=0.1, **decay)
    for actual, wanted in zip(guarded.arrays, expected, strict=True):
        assert_same_bits(actual, wanted)
    guarded.assert_guards_untouched()


@pytest.mark.parametrize("dtype", [None, *DTYPES])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_rule_step_equals_the_reference(isa, variant, dtype):
    """Without a type by functions that take floats, else by those that take descriptions of arrays."""
    for k, size in enumerate([0, 1, 16, 1000]):
        changed, step = hyperparameters(replace(variant, dtype=dtype or "float32"), k)
        rule = c_interface.Rule(variant.rule.name, options_of(changed), dtype)
        assert rule.state_count == variant.states
        inputs = random_inputs(size, variant.states, seed=k, dtype=dtype or "float32")
        expected = [array.copy() for array in inputs]
        guarded = Guarded(inputs, offset=k)
        assert rule.step(*guarded.arrays, step=step) == OK
        changed.reference(*expected, step=step)
        for actual, wanted in zip(guarded.arrays, expected, strict=True):
            assert_same_bits(actual, wanted)
        guarded.assert_guards_untouched()


@pytest.mark.parametrize("dtype", [None, *DTYPES])
@pytest.mark.parametrize(("more", "starts"), [({}, [0.0]), ({"initial_accumulator_value": 0.1, "ema_decay": 0.5}, [0.1, 0.0])])
def test_states_begin_as_their_rule_says(more, starts, dtype):
    rule = c_interface.Rule("adagrad", {"lr": 1.0, "lr_decay": 0.0, "eps": 1e-8, "weight_decay": 0.0} | more, dtype)
    param, *states = (np.full(5, np.nan, dtype or "float32") for _ in range(1 + rule.state_count))
    assert rule.init_states(param, *states) == OK
    assert [state.tolist() for state in states] == [[param.dtype.type(start)] * 5 for start in starts]


def test_the_guide_names_every_option_and_state():
    guide = Path(__file__).parents[1] / "docs" / "c-interface.md"
    if not guide.exists():
        pytest.skip("needs the source tree")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| (.*) \|$", guide.read_text(), re.MULTILINE)
    assert [name for name, *_ in rows] == fastadam.build_info()["rules"]
    for name, numbers, flags, states in rows:
        with pytest.raises(ValueError, match="'unknown' is not an option of") as refused:
            c_interface.Rule(name, {"unknown": 0.0})
        expected = str(refused.value).partition("expected ")[2].removesuffix("; every rule also has 'ema_decay'")
        all_numbers, all_flags = expected.split(" and the flags ")
        assert numbers.replace("`", "'") == all_numbers
        assert flags.replace("`", "'") == all_flags
        (variant,) = (variant for variant in ONE_OF_EACH if variant.rule_name == name)
        named = [state for state in re.findall(r"`(\w+)`", states) if state not in ("amsgrad", "centered")]
        assert named == [state for state in variant.make(np.zeros(1, np.float32)).state if state != "step"]


def test_flags_that_do_not_fit_together_are_refused():
    given = {"lr": 0.1, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.1, "cautious_weight_decay": 1.0}
    for name, more in (("adam", {}), ("nadam", {"momentum_decay": 0.0}), ("radam", {})):
        with pytest.raises(ValueError, match="cautious_weight_decay is 1; expected decoupled_weight_decay too"):
            c_interface.Rule(name, given | more)
        assert c_interface.Rule(name, given | more | {"decoupled_weight_decay": 1.0}).state_count == 2


def test_an_option_that_came_later_may_be_left_out():
    """By modules that were compiled before it: the step is as it was."""
    given = {"lr": 0.1, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
    results = []
    for more in ({}, {"bias_correction": 1.0}, {"bias_correction": 0.0}):
        arrays = np.zeros((4, 3), np.float32)
        arrays[1] = 1
        assert c_interface.Rule("adam", given | more).step(*arrays, step=1) == OK
        results.append(arrays[0].tolist())
    assert results[0] == results[1] != results[2]


def test_an_option_may_be_set_between_steps():
    rule = c_interface.Rule("sgd", {"lr": 0.1, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0})
    param, grad = np.ones((2, 3), np.float32)
    assert rule.set("lr", 0.5) == OK
    assert rule.step(param, grad, step=1) == OK
    assert (param == 0.5).all()
    assert rule.set("lr", -1.0) == INVALID
    assert "lr is -1; expected" in api.error().decode()
    assert rule.step(param, grad, step=2) == OK  # as before
    assert (param == 0.0).all()
    assert rule.set("weight_decay", 0.5) == rule.set("momentum", 0.9) == OK
    assert rule.state_count == 1
    param, buffer = np.ones(3, np.float32), np.zeros(3, np.float32)
    assert rule.step(param, grad, buffer, step=1) == OK
    assert (param == 0.25).all()  # 1 - lr * (1 + weight_decay * 1): what was set before holds


@pytest.mark.parametrize("variant", ONE_OF_EACH, ids=str)
def test_a_zero_among_the_options_has_no_sign(variant):
    """As in Python; else the sign of a parameter that is zero would depend on it."""
    for name in options_of(variant):
        results = []
        for zero in (0.0, -0.0):
            options = options_of(variant) | {"nesterov": 0.0, name: zero}
            rule = c_interface.Rule(variant.rule.name, {k: v for k, v in options.items() if k in options_of(variant)})
            arrays = np.full((2 + rule.state_count, 3), -0.0, np.float32)
            arrays[1] = -1, 0, 1
            assert rule.step(*arrays, step=2) == OK
            results.append(arrays)
        assert_same_bits(results[1], results[0], name)


@pytest.mark.parametrize("dtype", [None, *DTYPES])
def test_global_norm(dtype):
    arrays, describes = random_inputs(1000, 2, special=0.0, dtype=dtype or "float32"), dtype is not None
    found = c_interface.global_norm(arrays, describes=describes)
    assert found == fastadam.global_norm(arrays) == reference.global_norm(arrays)
    assert c_interface.global_norm([], describes=describes) == 0.0


RANGED = {
    *("lr", "lr_decay", "eps", "weight_decay", "momentum", "dampening", "momentum_decay"),
    *("beta1", "beta2", "alpha"),
}
NUMBERS = [-1.0, -0.1, -0.0, 0.0, 1e-300, 0.5, 1 - 2.0**-24, 1 - 2.0**-25, 1 - 2.0**-26, 1.0, 2.0, np.inf, -np.inf, np.nan]
TOO_LARGE = 2.0**128 - 2.0**103  # for a float32: it is the smallest number that rounds to infinity
NUMBERS += [sign * number for number in (np.nextafter(TOO_LARGE, 0), TOO_LARGE, 1e39, 1e300) for sign in (1, -1)]


@pytest.mark.parametrize("variant", ONE_OF_EACH, ids=str)
def test_options_have_the_ranges_of_python(variant):
    """Whatever Python's check accepts, the native one does, and nothing else."""
    options = options_of(variant.changed(nesterov=False) if variant.rule_name == "sgd" else variant)
    for name, number in itertools.product([name for name in options if name in RANGED], NUMBERS):
        if name in ("beta1", "beta2"):
            in_python = {"betas": (number, 0.5) if name == "beta1" else (0.5, number)}
        else:
            in_python = {name: number}
        assert accepts(variant.kind.cls, np.zeros(1, np.float32), **in_python) == accepts(
            c_interface.Rule, variant.rule.name, options | {name: number}
        ), (name, number)


def accepts(call, *arguments, **keywords):
    try:
        call(*arguments, **keywords)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("adamm", {}, "there is no rule 'adamm'; expected one of 'adam', 'sgd'"),
        (
            "sgd",
            {"beta1": 0.9},
            "'beta1' is not an option of sgd; expected 'lr', 'momentum', 'dampening', 'weight_decay' and the",
        ),
        ("sgd", {"decoupled_weight_decay": 1}, "'decoupled_weight_decay' is not an option of sgd"),
        ("sgd", {"coupled": 1}, "'coupled' is not an option of sgd"),
        ("sgd", {"maximize": 2}, "maximize is 2; expected 0 or 1"),
        ("sgd", {"nesterov": 1}, "nesterov is 1; expected a momentum above 0 and no dampening"),
        (
            "sgd",
            {"nesterov": 1, "momentum": 0.9, "dampening": 0.5},
            "nesterov is 1; expected a momentum above 0 and no dampening",
        ),
        ("sgd", {"lr": None}, "lr is missing; sgd needs 'lr', 'momentum', 'dampening', 'weight_decay'"),
    ],
)
def test_bad_rule(name, changes, message):
    options = {"lr": 0.1, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0} | changes
    with pytest.raises(ValueError, match=re.escape(message)):
        c_interface.Rule(name, {option: value for option, value in options.items() if value is not None})


def test_bad_states():
    rule = c_interface.Rule("sgd", {"lr": 0.1, "momentum": 0.9, "dampening": 0.0, "weight_decay": 0.0})
    param, grad = np.ones((2, 3), np.float32)
    assert rule.step(param, grad, None, step=1) == INVALID
    assert "states[0] is NULL; expected the address of 3 floats" in api.error().decode()
    assert rule.step(param, grad, param, step=1) == INVALID
    assert "states[0]" in api.error().decode()
    assert "shares memory with" in api.error().decode()
    assert (param == 1).all()


def arrays(count=4, size=8):
    return [np.ones(size, np.float32) for _ in range(count)]


BAD_OPTIONS = {
    "lr": [-1.0, np.nan, np.inf, TOO_LARGE],
    "beta1": [-0.1, 1.0, np.nan, 1 - 2.0**-30],
    "beta2": [-0.1, 1.0, np.nan, 1 - 2.0**-30],
    "eps": [-1e-8, np.nan, np.inf, 1e39],
    "weight_decay": [-0.1, np.nan, np.inf, 1e300],
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
