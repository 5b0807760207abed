"""Parameter groups that do not fit are refused when an optimizer is made and when one is added, and change nothing."""

import functools

import numpy as np
import pytest
from refusals import F32, everything, refuses

import fastadam


def test_nothing_is_added_to_one_array():
    param = np.ones(3, F32)
    optimizer = fastadam.Adam(param)
    words = ("params is one array", "list of arrays")
    arrays = [param, *optimizer.state.values()]
    refuses(lambda: optimizer.add_param_group({"params": np.ones(2, F32)}), ValueError, words, arrays, optimizer)


def bad_groups():
    memory = np.ones(10, F32)
    one, other = memory[:4], memory[4:]
    yield [{"params": one}, {"params": one}], ValueError, ("params[0]['params']", "shares memory with params[1]['params']")
    yield [{"params": [one, memory[3:]]}, {"params": other}], ValueError, ("['params'][0]", "shares memory with", "['params']")
    yield [{"params": one}, {"params": []}], ValueError, ("params[1]['params'] is an empty list", "at least one array")
    yield [{"params": one}, other], TypeError, ("params[1] is a ndarray without 'params'", "expected a group")
    yield [one, {"params": other}], TypeError, ("params[0] is a ndarray without 'params'", "expected a group")
    yield [{"params": one}, {"lr": 0.1}], TypeError, ("params[1] is a dict without 'params'", "expected a group")
    yield [{"params": one, "lr": -1.0}], ValueError, ("params[0]['lr'] is -1.0", "finite number >= 0")
    yield [{"params": one}, {"params": other, "betas": (0.9, 1)}], ValueError, ("params[1]['betas'][1] is 1", "in [0, 1)")
    yield (
        [{"params": one, "learning_rate": 1.0}],
        TypeError,
        ("params[0] has ['learning_rate']", "expected", "'lr'"),
    )
    yield [{"params": one, "decoupled_weight_decay": True}], TypeError, ("params[0] has ['decoupled_weight_decay']",)
    yield [{"params": [one, [1.0]]}], TypeError, ("params[0]['params'][1] is a list", "expected a numpy.ndarray")
    yield [{"params": {"w": one.astype(np.float16)}}], TypeError, ("params[0]['params']['w'] has dtype", "expected float32")


@pytest.mark.parametrize(("groups", "error", "words"), [*bad_groups()])
def test_groups_that_do_not_fit_are_refused(groups, error, words):
    refuses(lambda: fastadam.Adam(groups), error, words, [])


@pytest.mark.parametrize(
    ("group", "error", "words"),
    [
        ({"params": "params[0]"}, ValueError, ("shares memory with",)),
        ({"params": [np.ones(2, F32), "params[1]"]}, ValueError, ("shares memory with",)),
        ({"params": np.ones(2)}, TypeError, ("param_group['params'] has dtype '<f8'", "expected float32")),
        ({"params": np.ones(2, F32), "lr": "fast"}, TypeError, ("param_group['lr'] is 'fast'", "a real number")),
        ({"lr": 1.0}, TypeError, ("param_group is a dict without 'params'",)),
        (np.ones(2, F32), TypeError, ("param_group is a ndarray without 'params'",)),
    ],
)
def test_a_group_that_does_not_fit_is_not_added(group, error, words):
    params = [np.ones(4, F32), np.ones(3, F32)]
    optimizer = fastadam.Adam(params)
    optimizer.step([np.ones(4, F32), np.ones(3, F32)])
    if isinstance(group, dict) and "params" in group:
        shared = {"params[0]": params[0], "params[1]": params[1]}
        members = group["params"] if isinstance(group["params"], list) else [group["params"]]
        group = group | {"params": [shared[m] if isinstance(m, str) else m for m in members]}
        words = tuple(word.replace("['params'] ", "['params'][0] ") for word in words)
    refuses(lambda: optimizer.add_param_group(group), error, words, everything(optimizer, params), optimizer)
    assert len(optimizer.param_groups) == 1
    optimizer.step([np.ones(4, F32), np.ones(3, F32)])


@pytest.mark.parametrize("name", ["params", "learning_rate", "capturable", "step", 3])
def test_only_hyperparameters_of_a_group_can_be_set(name):
    param = np.ones(3, F32)
    optimizer = fastadam.Adam([{"params": param}])
    with pytest.raises(KeyError, match="expected one of"):
        optimizer.param_groups[0][name] = param
    assert optimizer.param_groups[0]["params"][0] is param


# Of 20 floats, 5 to 10 are a parameter from the start, and 12 to 15 were added before.
TAKEN = [(5, 10), (4, 6), (9, 11), (6, 8), (0, 20), (11, 13), (14, 16), (13, 14), (0, 6), (14, 20)]
FREE = [(0, 5), (10, 12), (15, 20), (7, 7)]


@pytest.mark.parametrize("stepped", [False, True])
def test_what_is_added_shares_no_memory_with_what_was_there_or_added(stepped):
    memory = np.ones(20, F32)
    for begin, end in TAKEN:
        optimizer = fastadam.SGD([memory[5:10]], momentum=0.5)
        optimizer.add_param_group({"params": memory[12:15]})
        if stepped:
            optimizer.step([np.ones(5, F32), np.ones(3, F32)])
        words = ("shares memory with",)
        add = functools.partial(optimizer.add_param_group, {"params": [np.ones(2, F32), memory[begin:end]]})
        refuses(add, ValueError, words, [memory], optimizer)
        assert len(optimizer.param_groups) == 2
        optimizer.step([np.ones(5, F32), np.ones(3, F32)])
    for begin, end in FREE:
        optimizer.add_param_group({"params": memory[begin:end]})
        own = optimizer.state[len(optimizer.state) - 1]["momentum_buffer"]
        if own.size:
            refuses(lambda own=own: optimizer.add_param_group({"params": own}), ValueError, words, [], optimizer)
