"""What is in a state dict, and that one that does not fit is refused with the names of everything that differs."""

import copy
import functools

import numpy as np
import pytest
from buffers import assert_same_bits
from refusals import F32, everything, refuses
from resuming import trained
from variants import KINDS, VARIANTS

import fastadam


def test_what_is_in_a_state_dict():
    params = {"w": np.ones((2, 3), F32), "b": np.ones((), F32)}
    optimizer = fastadam.Adam(params, lr=0.5, ema_decay=0.5)
    optimizer.step({"w": np.ones((2, 3), F32), "b": None})
    state_dict = optimizer.state_dict()
    (group,) = state_dict["param_groups"]
    assert group == {
        "params": [0, 1],
        "param_names": ["w", "b"],
        "param_shapes": [(2, 3), ()],
        "lr": 0.5,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0.0,
        "amsgrad": False,
        "maximize": False,
        "ema_decay": 0.5,
    }
    assert {name: state_dict[name] for name in ("optimizer", "step_count", "skipped_steps")} == {
        "optimizer": "Adam",
        "step_count": 1,
        "skipped_steps": 0,
    }
    state = state_dict["state"]
    assert [(type(s["step"]), s["step"]) for s in state.values()] == [(int, 1), (int, 0)]
    assert list(state[0]) == ["step", "exp_avg", "exp_avg_sq", "ema"]
    before = state[0]["exp_avg"].copy()
    optimizer.step({"w": np.full((2, 3), 9, F32), "b": None})
    assert_same_bits(state[0]["exp_avg"], before)  # a copy
    optimizer.load_state_dict(state_dict)
    optimizer.step({"w": np.full((2, 3), 9, F32), "b": None})
    assert_same_bits(state[0]["exp_avg"], before)


def changed(state_dict, path, value):
    """A state dict with something else, or nothing (...), at a path."""
    result = copy.deepcopy(state_dict)
    *where, last = path
    place = result
    for key in where:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return result


MISFITS = [
    (("optimizer",), "AdamW", ["it is of 'AdamW'; expected one of 'Adam'"]),
    (("optimizer",), ..., ["it has no ['optimizer']"]),
    (("state",), ..., ["it has no ['state']"]),
    (("step_count",), -1, ["step_count is -1; expected 0 to 2**63 - 2"]),
    (("skipped_steps",), 0.5, ["skipped_steps is 0.5; expected an integer"]),
    (("param_groups",), [], ["it has state of parameters [0, 1, 2, 3]; expected 0 to -1, those of its groups"]),
    (("param_groups",), [1, 2], ["param_groups is not a list of mappings"]),
    (("state",), [{}], ["state is not a mapping"]),
    (("state", 1), None, ["state is not a mapping from numbers of parameters to mappings"]),
    (("param_groups", 0, "params"), [0], ["its param_groups[0]['params'] is [0]; expected [0, 1]"]),
    (("param_groups", 0, "params"), 3, ["its param_groups[0] has no lists 'params' and 'param_shapes'"]),
    (("param_groups", 0, "param_shapes"), [(3,), (1,)], ["parameter 1 has shape (1,); expected (0,)"]),
    (("param_groups", 0, "param_names"), ["a", "b"], ["its parameters have names and those here have no names"]),
    (("param_groups", 1, "eps"), ..., ["param_groups[1] has no 'eps'; expected 1e-08"]),
    (("param_groups", 1, "rho"), 1.0, ["param_groups[1] has ['rho'], which this optimizer does not know"]),
    (("state", 3), ..., ["it has state of parameters [0, 1, 2]; expected 0 to 3, those of its groups"]),
    (("state", 2, "exp_avg"), ..., ["state[2] has no ['exp_avg']"]),
    (("state", 0, "ema"), np.zeros(3, F32), ["state[0] has ['ema'], which this optimizer does not keep"]),
    (("state", 0, "exp_avg"), np.zeros(4, F32), ["state[0]['exp_avg'] has shape (4,); expected (3,)"]),
    (("state", 0, "exp_avg"), np.zeros((3, 1), F32), ["state[0]['exp_avg'] has shape (3, 1); expected (3,)"]),
    (("state", 0, "exp_avg"), np.zeros(3), ["state[0]['exp_avg'] has dtype float64; expected float32"]),
    (
        ("state", 0, "exp_avg"),
        np.ma.masked_array(np.zeros(3, F32), [True, False, False]),
        ["state[0]['exp_avg'] is a masked array; expected one without a mask"],
    ),
    (
        ("state", 0, "exp_avg"),
        [0.0] * 3,
        ["state[0]['exp_avg'] is a list; expected an array: numpy.asarray(..., numpy.float32)"],
    ),
    (("state", 0, "step"), 2**63 - 1, ["state[0]['step'] is 9223372036854775807; expected 0 to 2**63 - 2"]),
    (("state", 0, "step"), 1.0, ["state[0]['step'] is 1.0; expected an integer"]),
    (("state", 0, "step"), ..., ["state[0]['step'] is None; expected an integer"]),
]
ADAM = VARIANTS[0]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(("path", "value", "words"), MISFITS)
def test_a_state_dict_that_does_not_fit_is_refused(path, value, words, strict):
    optimizer, params, _ = trained(ADAM)
    bad = changed(optimizer.state_dict(), path, value)
    arrays = everything(optimizer, params)
    words = ("state_dict does not fit this Adam:", *words)
    refuses(lambda: optimizer.load_state_dict(bad, strict=strict), ValueError, words, arrays, optimizer)


@pytest.mark.parametrize(("name", "value"), [("lr", 0.75), ("betas", [0.5, 0.5]), ("maximize", True)])
def test_other_hyperparameters_are_refused_or_taken_over(name, value):
    optimizer, params, _ = trained(ADAM)
    other = changed(optimizer.state_dict(), ("param_groups", 1, name), value)
    words = (f"param_groups[1]['{name}'] is {value!r}; expected", "set it, or pass hyperparameters='load' or 'keep'")
    refuses(lambda: optimizer.load_state_dict(other), ValueError, words, everything(optimizer, params), optimizer)
    before = optimizer.param_groups[1][name]
    optimizer.load_state_dict(other, hyperparameters="keep")
    assert optimizer.param_groups[1][name] == before
    optimizer.load_state_dict(other, hyperparameters="load")
    assert optimizer.param_groups[1][name] == (tuple(value) if isinstance(value, list) else value)
    assert optimizer.param_groups[0][name] != value
    bad = changed(other, ("param_groups", 0, "lr"), -1.0)
    with pytest.raises(ValueError, match=r"lr is -1\.0"):
        optimizer.load_state_dict(bad, hyperparameters="load")


@pytest.mark.parametrize("hyperparameters", ["same", "load", "keep"])
def test_a_state_dict_from_before_an_option_means_its_default(hyperparameters):
    optimizer = fastadam.AdamW([np.ones(3, F32)])
    optimizer.step([np.ones(3, F32)])
    old = optimizer.state_dict()
    assert not {"bias_correction", "cautious_weight_decay"} & {*old["param_groups"][0]}
    other = fastadam.AdamW([np.ones(3, F32)])
    other.load_state_dict(old, hyperparameters=hyperparameters)
    assert_same_bits(other.state[0]["exp_avg"], optimizer.state[0]["exp_avg"])
    other.bias_correction, other.cautious_weight_decay = False, True
    if hyperparameters == "same":
        with pytest.raises(ValueError, match=r"\['bias_correction'\] is True; expected False"):
            other.load_state_dict(old)
    else:
        other.load_state_dict(old, hyperparameters=hyperparameters)
        assert other.bias_correction is (hyperparameters == "load")
        assert other.cautious_weight_decay is (hyperparameters == "keep")


def test_what_a_state_started_from_is_not_taken_over():
    """It would be said of a state that did not start there."""
    params = [np.ones(3, F32)]
    optimizer = fastadam.Adagrad(params, initial_accumulator_value=0.25)
    other = fastadam.Adagrad([np.ones(3, F32)], initial_accumulator_value=0.5).state_dict()
    words = ("needs the state sum from 0.5; this optimizer was created with sum from 0.25", "create a new one")
    for mode, said in [("same", ("initial_accumulator_value", "0.5; expected 0.25")), ("load", words)]:
        call = functools.partial(optimizer.load_state_dict, other, hyperparameters=mode)
        refuses(call, ValueError, said, everything(optimizer, params), optimizer)


def test_all_that_differs_is_named():
    optimizer, _, _ = trained(ADAM)
    bad = changed(optimizer.state_dict(), ("state", 0, "exp_avg"), np.zeros(4))
    bad = changed(changed(bad, ("param_groups", 0, "eps"), 0.5), ("optimizer",), "Lion")
    with pytest.raises(ValueError, match="does not fit") as caught:
        optimizer.load_state_dict(bad)
    assert len(str(caught.value).splitlines()) == 5
    with pytest.raises(ValueError, match=r"hyperparameters is 'mine'; expected one of \['same', 'load', 'keep'\]"):
        optimizer.load_state_dict(bad, hyperparameters="mine")


@pytest.mark.parametrize("bad", [None, [], "state", 3])
def test_what_is_no_state_dict_is_refused(bad):
    optimizer, params, _ = trained(ADAM)
    words = (f"state_dict is a {type(bad).__name__}", "what state_dict() returns")
    refuses(lambda: optimizer.load_state_dict(bad), TypeError, words, everything(optimizer, params), optimizer)


@pytest.mark.parametrize("name", sorted(KINDS.keys() - {"adam"}))
def test_the_file_of_another_rule_is_refused(name, tmp_path):
    path = tmp_path / "state"
    KINDS[name].cls([np.ones(3, F32)]).save(path)
    params = [np.ones(3, F32)]
    optimizer = fastadam.Adam(params)
    words = (str(path), "does not fit this Adam", f"it is of '{KINDS[name].cls.__name__}'; expected one of 'Adam'")
    refuses(lambda: optimizer.load(path), ValueError, words, everything(optimizer, params), optimizer)


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "state"
    optimizer, params, _ = trained(ADAM)
    optimizer.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    refuses(lambda: optimizer.load(path), ValueError, (str(path),), everything(optimizer, params), optimizer)


def test_a_schedule_is_not_in_the_file_and_must_be_here(tmp_path):
    params, path = [np.ones(3, F32)], tmp_path / "state"
    optimizer = fastadam.Adam(params, lr=lambda t: 0.5 / (t + 1))
    optimizer.step([np.ones(3, F32)])
    optimizer.save(path)
    asked = []
    same = fastadam.Adam([params[0].copy()], lr=lambda t: asked.append(t) or 0.5 / (t + 1))
    for mode in ("same", "load", "keep"):
        same.load(path, hyperparameters=mode)
    asked.clear()
    same.step([np.ones(3, F32)])
    assert asked == [1]
    plain = fastadam.Adam(params)
    for mode in ("same", "load"):
        with pytest.raises(ValueError, match=r"\['lr'\] is a schedule; expected 0.001.*hyperparameters='keep'"):
            plain.load(path, hyperparameters=mode)
    plain.load(path, hyperparameters="keep")
    assert (plain.lr, plain.step_count) == (0.001, 1)
    plain.save(path)
    with pytest.raises(ValueError, match=r"\['lr'\] is 0.001; expected <function"):
        optimizer.load(path)
    for mode in ("load", "keep"):
        optimizer.load(path, hyperparameters=mode)
        assert callable(optimizer.lr)
