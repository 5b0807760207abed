"""Parameters are found by name, whatever their order and groups; state of some of them; and whose hyperparameters count."""

import io
import json

import numpy as np
import pytest
from buffers import assert_same_bits
from refusals import F32, refuses

import fastadam

SHAPES = {"enc": (2, 3), "dec": (2, 3), "head": ()}


def params_of(names):
    return {name: np.ones(SHAPES[name], F32) for name in names}


def grouped(*groups, **options):
    """An optimizer with a group for each string of names."""
    return fastadam.Adam([{"params": params_of(names.split())} for names in groups], **options)


def step(optimizer, number=1):
    """Each parameter by its own gradient."""
    for t in range(number):
        gradients = {name: np.full(SHAPES[name], len(name) + ord(name[0]) - 100 + t, F32) for name in optimizer.state}
        optimizer.step(gradients)


def through_file(source, optimizer, **options):
    file = io.BytesIO()
    source.save(file)
    return optimizer.load(io.BytesIO(file.getvalue()), **options)


def through_dict(source, optimizer, **options):
    return optimizer.load_state_dict(source.state_dict(), **options)


def assert_same_states(optimizer, source, names):
    for name in names:
        for key, array in source.state[name].items():
            assert np.asarray(array).tobytes() == np.asarray(optimizer.state[name][key]).tobytes(), (name, key)


either_way = pytest.mark.parametrize("load", [through_file, through_dict])


@either_way
@pytest.mark.parametrize("groups", [("enc dec head",), ("head dec enc",), ("dec", "enc head"), ("head", "enc", "dec")])
def test_parameters_are_found_by_name(groups, load):
    """In other orders and other groups, with moments of the same shapes, which could be taken for each other's."""
    source = grouped("enc dec", "head")
    step(source, 3)
    optimizer = grouped(*groups)
    assert load(source, optimizer) == ([], [])
    assert_same_states(optimizer, source, SHAPES)
    step(optimizer)
    step(source)
    assert_same_states(optimizer, source, SHAPES)


@either_way
def test_resuming_a_run_that_added_a_group(load):
    source = fastadam.Adam(params_of(["enc"]))
    step(source, 2)
    source.add_param_group({"params": params_of(["dec", "head"]), "lr": 0.5})
    step(source)
    groups = [{"params": params_of(["enc"])}, {"params": params_of(["dec", "head"]), "lr": 0.5}]
    for made in (fastadam.Adam(groups), fastadam.Adam(groups[::-1])):
        load(source, made)
        assert_same_states(made, source, SHAPES)


def test_names_in_groups_are_names_of_gradients_and_state():
    optimizer = grouped("enc dec", "head")
    described = optimizer.state_dict()["param_groups"]
    assert [group["param_names"] for group in described] == [["enc", "dec"], ["head"]]
    assert list(optimizer.state) == ["enc", "dec", "head"]
    with pytest.raises(ValueError, match=r"missing \['head'\], unexpected \['tail'\]"):
        optimizer.step({"enc": None, "dec": None, "tail": None})
    with pytest.raises(ValueError, match=r"params\[1\]\['params'\]\['enc'\].*keys that params has: \['enc'\]"):
        grouped("enc dec", "enc")


@either_way
def test_part_of_a_state(load):
    source = grouped("enc head")
    step(source, 3)
    optimizer = grouped("dec enc")
    words = ("no state of ['dec']", "strict=False", "state of ['head']", "strict=False")
    refuses(lambda: load(source, optimizer), ValueError, words, everything_of(optimizer))
    step(optimizer)
    before = optimizer.state_dict()["state"][0]
    result = load(source, optimizer, strict=False)
    assert (result.missing, result.unexpected) == (["dec"], ["head"])
    assert_same_states(optimizer, source, ["enc"])
    np.testing.assert_equal(optimizer.state_dict()["state"][0], before)
    assert optimizer.step_count == 3


def everything_of(optimizer):
    return [array for state in optimizer.state.values() for array in state.values()]


@either_way
def test_part_of_a_list(load):
    source = fastadam.Adam([np.ones(3, F32), np.ones(2, F32)])
    source.step([np.ones(3, F32), np.ones(2, F32)])
    longer = fastadam.Adam([np.ones(3, F32), np.ones(2, F32), np.ones(1, F32)])
    assert load(source, longer, strict=False) == ([2], [])
    assert [int(state["step"]) for state in longer.state] == [1, 1, 0]
    shorter = fastadam.Adam([np.ones(3, F32)])
    assert load(source, shorter, strict=False) == ([], [1])
    assert_same_bits(shorter.state[0]["exp_avg"], source.state[0]["exp_avg"])
    for other in (grouped("enc"), fastadam.Adam([np.ones(2, F32)])):
        with pytest.raises(ValueError, match=r"no names|shape"):
            load(source, other, strict=False)


@either_way
def test_whose_hyperparameters_count(load):
    def schedule(t):
        return 0.5 / (t + 1)

    source = grouped("enc dec", "head", lr=0.25)
    source.param_groups[1]["eps"] = 0.5
    step(source, 2)

    def made():
        return grouped("enc dec", "head", lr=schedule, eps=0.125)

    with pytest.raises(ValueError, match=r"\['lr'\] is 0\.25; expected <function"):
        load(source, made())
    kept, taken = made(), made()
    load(source, kept, hyperparameters="keep")
    load(source, taken, hyperparameters="load")
    assert [group["eps"] for group in kept.param_groups] == [0.125, 0.125]
    assert [group["eps"] for group in taken.param_groups] == [1e-8, 0.5]
    for optimizer in (kept, taken):
        assert [group["lr"] for group in optimizer.param_groups] == [schedule, schedule]
        step(optimizer)
        assert optimizer.param_groups[1].current["lr"] == schedule(2)
    mixed = grouped("enc head", "dec", lr=0.25)
    with pytest.raises(ValueError, match=r"param_groups\[0\] has parameters of 2 groups there; pass hyperparameters='keep'"):
        load(source, mixed, hyperparameters="load")
    load(source, mixed, hyperparameters="keep")
    assert_same_states(mixed, source, SHAPES)


def test_a_state_dict_survives_json_and_torch(tmp_path):
    """JSON makes text of keys and lists of tuples, and people make tensors of arrays for ``weights_only``."""
    source = grouped("enc dec", "head")
    step(source, 2)
    state_dict = source.state_dict()
    arrays = {(i, name): state.pop(name) for i, state in state_dict["state"].items() for name in [*state] if name != "step"}
    read = json.loads(json.dumps(state_dict))
    for (i, name), array in arrays.items():
        read["state"][str(i)][name] = array
    optimizer = grouped("enc dec", "head")
    optimizer.load_state_dict(read)
    assert_same_states(optimizer, source, SHAPES)
    read["state"]["0"]["exp_avg"] = arrays[0, "exp_avg"].tolist()
    with pytest.raises(ValueError, match=r"state\[0\]\['exp_avg'\] is a list; expected an array: numpy\.asarray"):
        optimizer.load_state_dict(read)

    torch = pytest.importorskip("torch")
    for (i, name), array in arrays.items():
        state_dict["state"][i][name] = torch.from_numpy(array)
    torch.save(state_dict, tmp_path / "state")
    optimizer = grouped("enc dec", "head")
    optimizer.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert_same_states(optimizer, source, SHAPES)


def test_a_name_is_that_of_one_parameter():
    optimizer = grouped("enc", "dec")
    state = grouped("enc", "dec").state_dict()
    state["param_groups"][1]["param_names"] = ["enc"]
    with pytest.raises(ValueError, match=r"its parameters are \['enc', 'enc'\]; expected \['enc', 'dec'\]"):
        optimizer.load_state_dict(state, strict=False)


def test_a_pickle_of_another_version_is_refused():
    optimizer = fastadam.Adam(np.ones(3, F32))
    state = optimizer.__getstate__()
    assert state["version"] == 1
    for other in ({**state, "version": 2}, {name: value for name, value in state.items() if name != "version"}):
        with pytest.raises(ValueError, match="expected version 1"):
            fastadam.Adam.__new__(fastadam.Adam).__setstate__(other)
