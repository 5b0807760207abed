"""Bad input is refused before anything is written, with an error that names the argument, what was found and what to do."""

import numpy as np
import pytest
from refusals import (
    ARRAYS,
    BAD_ARRAYS,
    BAD_GRADS,
    F32,
    OPTIMIZERS,
    WRONG_SHAPES,
    everything,
    read_only,
    refuses,
    step_arguments,
    trained,
)

import fastadam


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize(("make", "error", "words"), BAD_ARRAYS)
def test_adam_step_refuses_an_array_that_does_not_fit(name, make, error, words):
    if name == "max_exp_avg_sq" and make() is None:
        return  # the default: no AMSGrad
    args = step_arguments() | {name: make()}
    refuses(lambda: fastadam.adam_step(**args, step=1), error, (name, *words), args.values())


@pytest.mark.parametrize("name", ARRAYS[1:])
@pytest.mark.parametrize("shape", WRONG_SHAPES)
def test_adam_step_refuses_shapes_that_differ(name, shape):
    args = step_arguments() | {name: np.zeros(shape, F32)}
    words = (f"{name} has shape {shape}", "expected (6,)", "param")
    refuses(lambda: fastadam.adam_step(**args, step=1), ValueError, words, args.values())


@pytest.mark.parametrize("name", [name for name in ARRAYS if name != "grad"])
def test_adam_step_refuses_what_it_cannot_write_to(name):
    args = step_arguments()
    read_only(args[name])
    words = (f"{name} is read-only", "expected a writeable array", ".copy()")
    refuses(lambda: fastadam.adam_step(**args, step=1), ValueError, words, args.values())


@pytest.mark.parametrize("shift", [0, 1, 5])
@pytest.mark.parametrize("pair", [(a, b) for i, a in enumerate(ARRAYS) for b in ARRAYS[i + 1 :]], ids="-".join)
def test_adam_step_refuses_arrays_that_overlap(pair, shift):
    memory = np.ones(6 + shift, F32)
    for first, second in (pair, pair[::-1]):
        args = step_arguments() | {first: memory[:6], second: memory[shift:]}
        for name in pair:  # in whichever order it names them
            words = (name, "do not overlap", ".copy()") if name == "grad" else (name,)
            refuses(lambda args=args: fastadam.adam_step(**args, step=1), ValueError, words, [*args.values(), memory])


def test_arrays_side_by_side_do_not_overlap():
    memory = np.ones(30, F32)
    fastadam.adam_step(*memory.reshape(5, 6), step=1)
    assert (memory[:6] != 1).all()


@pytest.mark.parametrize(("make", "error", "words"), BAD_ARRAYS)
def test_optimizers_refuse_a_parameter_that_does_not_fit(make, error, words):
    params = [np.ones(6, F32), make()]
    refuses(lambda: fastadam.Adam(params), error, ("params[1]", *words), params)
    refuses(lambda: fastadam.Adam({"weight": params[0], "bias": params[1]}), error, ("params['bias']", *words), params)


@pytest.mark.parametrize("params", [[], (), {}])
def test_optimizers_refuse_no_parameters(params):
    refuses(lambda: fastadam.Adam(params), ValueError, ("params is an empty", type(params).__name__, "at least one array"), [])


@pytest.mark.parametrize("shape", [(0,), (0, 3), ()])
def test_empty_and_0_d_arrays_work(shape):
    arrays, expected = ([np.ones(shape, F32) for _ in range(5)] for _ in range(2))
    fastadam.adam_step(*arrays, step=1)
    fastadam.reference.adam_step(*expected, step=1)
    np.testing.assert_array_equal(arrays, expected)
    for cls in OPTIMIZERS:
        single, param = np.ones(shape, F32), np.ones(shape, F32)
        optimizer, beside = cls(single), cls([np.ones(2, F32), param])  # alone, and beside one that has elements
        optimizer.step(np.ones(shape, F32))
        beside.step([np.ones(2, F32), np.ones(shape, F32)])
        np.testing.assert_array_equal(single, param)
        assert int(optimizer.state["step"]) == int(beside.state[1]["step"]) == 1
        assert np.all(single < 1)


def test_optimizers_refuse_read_only_parameters():
    param = read_only(np.ones(6, F32))
    refuses(lambda: fastadam.Adam(param), ValueError, ("params is read-only", "writeable", ".copy()"), [param])


def test_optimizers_refuse_parameters_that_share_memory():
    memory = np.ones(10, F32)
    for params in ([memory, memory], [memory[:6], memory[5:]], [memory[5:], memory[:6]], [memory, memory[4:5]]):
        for name in ("params[0]", "params[1]"):
            refuses(lambda params=params: fastadam.Adam(params), ValueError, (name,), [memory])


@pytest.mark.parametrize(("make", "error", "words"), BAD_GRADS)
def test_a_last_gradient_that_does_not_fit_changes_nothing_of_the_first(make, error, words):
    optimizer, params, grads = trained()
    grads[-1] = make()
    arrays = [*everything(optimizer, params), *grads]
    refuses(lambda: optimizer.step(grads), error, ("grads[2]", *words), arrays, optimizer)


@pytest.mark.parametrize("shape", WRONG_SHAPES)
def test_a_last_gradient_of_another_shape_changes_nothing_of_the_first(shape):
    optimizer, params, grads = trained()
    grads[-1] = np.zeros(shape, F32)
    words = (f"grads[2] has shape {shape}", "expected (6,)", "params[2]")
    refuses(lambda: optimizer.step(grads), ValueError, words, everything(optimizer, params), optimizer)


def test_a_gradient_that_is_a_parameter_or_state_is_refused():
    optimizer, params, grads = trained()
    state = optimizer.state[1]
    shared = {
        "params[0]": params[0],
        "state[1]['exp_avg']": state["exp_avg"],
        "state[1]['exp_avg_sq']": state["exp_avg_sq"],
        "state[1]['max_exp_avg_sq']": state["max_exp_avg_sq"],
    }
    for name, array in shared.items():
        words = ("grads[2] shares memory with", name, "do not overlap", ".copy()")
        bad = [*grads[:2], array]
        refuses(lambda bad=bad: optimizer.step(bad), ValueError, words, everything(optimizer, params), optimizer)


def test_gradients_may_overlap_each_other_and_be_read_only():
    _, params, _ = trained()
    copies = [param.copy() for param in params]
    memory = np.arange(1, 8, dtype=F32)
    grads = [read_only(memory[:6]), memory[1:], memory[1:]]
    fastadam.Adam(params).step(grads)
    fastadam.Adam(copies).step([grad.copy() for grad in grads])
    np.testing.assert_array_equal(params, copies)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda g: g[:2], ValueError, ("2 members", "params has 3", "one for each")),
        (lambda g: [*g, g[0]], ValueError, ("4 members", "params has 3", "one for each")),
        (lambda g: g[0], TypeError, ("is a ndarray", "params is a sequence", "list or tuple")),
        (lambda g: dict(enumerate(g)), TypeError, ("is a dict", "params is a sequence", "list or tuple")),
        (lambda g: iter(g[:2]), ValueError, ("2 members", "params has 3", "one for each")),
        (lambda g: {*map(str, g)}, TypeError, ("is a set, which has no order", "list, tuple or mapping")),
        (lambda g: bytearray(3), TypeError, ("is a bytearray", "params is a sequence", "list or tuple")),
        (lambda g: None, TypeError, ("is a NoneType", "params is a sequence", "list or tuple")),
    ],
)
def test_gradients_for_a_sequence_of_another_structure(make, error, words):
    optimizer, params, grads = trained()
    arrays = everything(optimizer, params)
    refuses(lambda: optimizer.step(make(grads)), error, ("grads", *words), arrays, optimizer)


def test_gradients_for_a_mapping_or_one_array_of_another_structure():
    param, grad = np.ones(6, F32), np.ones(6, F32)
    named = fastadam.Adam({"weight": param})
    for bad, error, words in [
        ({}, ValueError, ("keys of params", "missing ['weight']", "unexpected []")),
        ({"bias": grad}, ValueError, ("keys of params", "missing ['weight']", "unexpected ['bias']")),
        ({"weight": grad, "bias": grad}, ValueError, ("keys of params", "missing []", "unexpected ['bias']")),
        ([grad], TypeError, ("is a list", "params is a mapping", "same keys")),
        (grad, TypeError, ("is a ndarray", "params is a mapping", "same keys")),
    ]:
        arrays = [param, *named.state["weight"].values()]
        refuses(lambda bad=bad: named.step(bad), error, ("grads", *words), arrays)
    single = fastadam.Adam(param)
    for bad in ([grad], {"weight": grad}, [1.0] * 6):
        words = (f"grads is a {type(bad).__name__}", "params is one array", "pass one array")
        refuses(lambda bad=bad: single.step(bad), TypeError, words, [param, *single.state.values()])


def test_gradients_of_a_mapping_may_come_in_another_order():
    """Keys say what belongs together; that shapes are the same hides no mistake."""
    params = {"a": np.ones(3, F32), "b": np.ones(3, F32)}
    optimizer = fastadam.SGD(params, lr=1.0, momentum=0.5)
    optimizer.step({"b": np.full(3, 4, F32), "a": np.full(3, 2, F32)})
    assert (params["a"] == -1).all()
    assert (params["b"] == -3).all()
    assert list(optimizer.state) == ["a", "b"]
    assert (optimizer.state["b"]["momentum_buffer"] == 4).all()


def test_huge_array_that_is_not_contiguous_is_refused_by_its_layout():
    with pytest.raises(ValueError, match="params does not fill its memory without gaps"):
        fastadam.Adam(np.broadcast_to(np.float32(1), (2**20, 2**20)))


def test_iterator_of_parameters_works():
    params = [np.ones(3, np.float32) for _ in range(2)]
    optimizer = fastadam.Adam(iter(params))
    optimizer.step([np.ones(3, np.float32)] * 2)
    assert all((param < 1).all() for param in params)
