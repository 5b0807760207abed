"""State whose memory is the caller's: stepped in place with the same bits, and checked like parameters."""

import copy
import pickle

import numpy as np
import pytest
from buffers import assert_same_bits, random_inputs
from refusals import BAD_ARRAYS, F32, WRONG_SHAPES, read_only, refuses
from variants import BOTH_TYPES

import fastadam


def zeros(size=6):
    return np.zeros(size, F32)


def state_of(optimizer):
    """Copies of the arrays of a state."""
    return {name: array.copy() for name, array in optimizer.state.items()}


@pytest.mark.parametrize("variant", [each.averaged for each in BOTH_TYPES], ids=str)
def test_steps_have_the_bits_of_an_optimizer_that_makes_its_state(variant):
    """From the state after a step, as a program would have it that goes on with what is in its files."""
    param, *grads = random_inputs(7, 3, dtype=variant.dtype)
    twin_param = param.copy()
    twin = variant.make(twin_param)
    twin.step(grads[0])
    param[...] = twin_param
    given = state_of(twin)
    room = np.full((len(given), 9), 7, variant.dtype)  # shards of one buffer
    names = [name for name in given if name != "step"]
    memory = {name: row[1:8] for name, row in zip(names, room, strict=False)}
    for name in names:
        memory[name][...] = given[name]
    optimizer = variant.make(param, state={"step": given["step"]} | dict(reversed(memory.items())))
    for grad in grads[1:]:
        optimizer.step(grad)
        twin.step(grad)
    assert_same_bits(param, twin_param)
    assert [*optimizer.state] == ["step", *names]
    assert int(optimizer.state["step"]) == len(grads)
    for name in names:
        assert optimizer.state[name] is memory[name]
        assert_same_bits(memory[name], twin.state[name], name)
    assert (room[:, [0, -1]] == 7).all()


def pair(size=6):
    return {"exp_avg": zeros(size), "exp_avg_sq": zeros(size)}


@pytest.mark.parametrize(
    "structure",
    [lambda make: [make(), make()], lambda make: (make(), make()), lambda make: {"a": make(), "b": {"c": make()}}],
    ids=["list", "tuple", "nested"],
)
def test_state_has_the_structure_of_the_parameters(structure):
    params, state, grads = structure(zeros), structure(pair), structure(lambda: np.ones(6, F32))
    optimizer = fastadam.Adam(params, state=state)
    optimizer.step(grads)
    one, other = (state["a"], state["b"]["c"]) if isinstance(state, dict) else state
    for each in (one, other):
        assert (each["exp_avg"] != 0).all()
    assert fastadam.Adam([{"params": zeros()}, {"params": zeros()}], state=[pair(), pair()]).state[1]["step"] == 0


def test_a_file_that_is_mapped_into_memory(tmp_path):
    mapped = {name: np.memmap(tmp_path / name, F32, "w+", shape=6) for name in pair()}
    param = zeros()
    fastadam.Adam(param, state=mapped).step(np.ones(6, F32))
    again = {name: np.memmap(tmp_path / name, F32, "r+", shape=6) for name in mapped}
    optimizer, twin_param = fastadam.Adam(param, state=again | {"step": 1}), zeros()
    optimizer.step(np.ones(6, F32))
    twin = fastadam.Adam(twin_param)
    for _ in range(2):
        twin.step(np.ones(6, F32))
    assert_same_bits(param, twin_param)


def test_copies_files_and_new_groups_work_as_ever(tmp_path):
    optimizer = fastadam.Adam([zeros()], state=[pair()])
    optimizer.step([np.ones(6, F32)])
    optimizer.save(tmp_path / "state")
    optimizer.load(tmp_path / "state")
    before = state_of_first = {name: array.copy() for name, array in optimizer.state[0].items()}
    for duplicate in (copy.copy(optimizer), copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        duplicate.step([np.ones(6, F32)])
        for name, array in optimizer.state[0].items():
            assert_same_bits(array, before[name])
    optimizer.add_param_group({"params": [zeros(3)]})
    optimizer.step([np.ones(6, F32), np.ones(3, F32)])
    assert (optimizer.state[0]["exp_avg"] != state_of_first["exp_avg"]).all()


def test_tensors_of_pytorch():
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    shared = {name: torch.zeros(6).share_memory_() for name in pair()}
    optimizer = fastadam.Adam(zeros(), state=shared)
    optimizer.step(np.ones(6, F32))
    assert (shared["exp_avg"] != 0).all()
    optimizer.load_state_dict(optimizer.state_dict())


@pytest.mark.parametrize("capturable", [False, True])
def test_state_on_a_gpu(device, capturable):
    state = {name: device.upload(array) for name, array in pair().items()}
    param = device.upload(zeros())
    optimizer = fastadam.Adam(param, state=state | {"step": 3}, capturable=capturable)
    optimizer.step(device.upload(np.ones(6, F32)))
    twin_param, twin_state = zeros(), pair()
    fastadam.Adam(twin_param, state=twin_state | {"step": 3}).step(np.ones(6, F32))
    assert_same_bits(device.download(param), twin_param)
    for name, array in state.items():
        assert_same_bits(device.download(array), twin_state[name])
    with pytest.raises((TypeError, ValueError), match=r"state\['exp_avg'\] is in the CPU's memory, but params is on GPU"):
        fastadam.Adam(param, state=pair(), capturable=capturable)
    with pytest.raises((TypeError, ValueError), match=r"state\['exp_avg'\] is on GPU"):
        fastadam.Adam(zeros(), state=state)


def made(params, state):
    return lambda: fastadam.Adam(params, state=state)


@pytest.mark.parametrize(("make", "error", "words"), BAD_ARRAYS)
def test_an_array_that_does_not_fit_is_refused(make, error, words):
    param = zeros()
    refuses(made([param], [pair() | {"exp_avg_sq": make()}]), error, ("state[0]['exp_avg_sq']", *words[:1]), [param])


@pytest.mark.parametrize("shape", WRONG_SHAPES, ids=str)
def test_an_array_of_another_shape_is_refused(shape):
    words = ("state['exp_avg'] has shape", "the shape of params")
    refuses(made(zeros(), pair() | {"exp_avg": np.zeros(shape, F32)}), ValueError, words, [])


param, moment = zeros(), zeros()


@pytest.mark.parametrize(
    ("params", "state", "error", "words"),
    [
        (
            param,
            [pair()],
            TypeError,
            ("state is a list", "expected a mapping with an array for each of ['exp_avg', 'exp_avg_sq']"),
        ),
        (param, {"exp_avg": zeros()}, ValueError, ("state lacks ['exp_avg_sq'] and has []", "expected an array for each")),
        (param, pair() | {"ema": zeros()}, ValueError, ("state lacks [] and has ['ema']",)),
        ({"a": param}, {"b": pair()}, ValueError, ("state does not have the keys of params: missing ['a']",)),
        ([param, zeros()], [pair()], ValueError, ("state has 1 members, but params has 2",)),
        ([param, zeros()], [pair(), None], TypeError, ("state[1] is a NoneType", "expected a mapping")),
        (param, pair() | {"step": 1.0}, TypeError, ("state['step'] is 1.0", "expected an integer")),
        (param, pair() | {"step": -1}, ValueError, ("state['step'] is -1", "expected 0 to 2**63 - 2")),
        (param, pair() | {"step": 2**63 - 1}, ValueError, ("state['step'] is", "expected 0 to 2**63 - 2")),
        (param, pair() | {"exp_avg": param}, ValueError, ("params shares memory with state['exp_avg']",)),
        (param, {"exp_avg": moment, "exp_avg_sq": moment}, ValueError, ("shares memory with state['exp_avg",)),
        (
            [param, zeros()],
            [pair() | {"exp_avg": moment}, pair() | {"exp_avg": moment}],
            ValueError,
            ("state[0]['exp_avg'] shares",),
        ),
        (param, pair() | {"exp_avg": read_only(zeros())}, ValueError, ("state['exp_avg'] is read-only",)),
        (
            param,
            pair() | {"exp_avg": np.zeros(6)},
            TypeError,
            ("state['exp_avg'] has dtype", "expected float32, the dtype of params"),
        ),
        (
            np.zeros((2, 3), F32),
            {"exp_avg": np.zeros((2, 3), F32, order="F"), "exp_avg_sq": np.zeros((2, 3), F32)},
            ValueError,
            ("state['exp_avg'] is laid out otherwise than params",),
        ),
    ],
    ids=lambda value: "" if not isinstance(value, tuple) else value[0],
)
def test_a_state_that_does_not_fit_is_refused(params, state, error, words):
    refuses(made(params, state), error, words, [param, moment])


def test_a_gradient_may_not_share_its_memory():
    state = pair()
    optimizer = fastadam.Adam(zeros(), state=state)
    refuses(
        lambda: optimizer.step(state["exp_avg"]), ValueError, ("grads shares memory with state['exp_avg']",), [*state.values()]
    )
