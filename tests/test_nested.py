"""Parameters, gradients and state in nested mappings and sequences, and in any iterable."""

import copy
import pickle
from collections import UserDict, namedtuple

import numpy as np
import pytest
from buffers import assert_same_bits
from refusals import F32, refuses

import fastadam

Layer = namedtuple("Layer", "weight bias")


def layer(k, make=np.full):
    return {"weight": make((2, k), k, F32), "bias": make((), k, F32)}


NESTED = {
    "dicts": lambda f: {"enc": layer(1, f), "dec": layer(2, f)},
    "list of dicts": lambda f: [layer(1, f), layer(2, f), layer(3, f)],
    "dict of lists": lambda f: {"enc": [f(2, 1, F32), f((), 2, F32)], "dec": (f(2, 3, F32),)},
    "deep": lambda f: {"a": {"b": [{"c": (f(2, 1, F32), [f(3, 2, F32)])}]}, "d": f((), 3, F32)},
    "empty layers": lambda f: [layer(1, f), {}, (), layer(2, f)],
    "named tuples": lambda f: [Layer(f(2, 1, F32), f(2, 2, F32)), Layer(f(2, 3, F32), f(2, 4, F32))],
    "other mappings": lambda f: UserDict(enc=UserDict(layer(1, f)), dec=layer(2, f)),
    "beside an array": lambda f: (f(2, 1, F32), layer(2, f)),
}
nested = pytest.mark.parametrize("make", NESTED.values(), ids=NESTED)


def leaves(tree):
    if isinstance(tree, np.ndarray) or (hasattr(tree, "keys") and "step" in tree):
        return [tree]
    return [leaf for member in (tree.values() if hasattr(tree, "values") else tree) for leaf in leaves(member)]


def gradients(make):
    return make(lambda shape, value, dtype: np.full(shape, value / 2, dtype))


def shape_of(tree):
    """The tree with tuples for sequences and nothing for leaves."""
    if isinstance(tree, np.ndarray) or (hasattr(tree, "keys") and "step" in tree):
        return None
    return {k: shape_of(v) for k, v in tree.items()} if hasattr(tree, "items") else tuple(map(shape_of, tree))


@nested
def test_a_nested_structure_gives_the_bits_of_a_list(make):
    params, copies = make(np.full), leaves(make(np.full))
    optimizer, twin = fastadam.Adam(params, lr=0.5), fastadam.Adam(copies, lr=0.5)
    for _ in range(3):
        optimizer.step(gradients(make))
        twin.step(leaves(gradients(make)))
    for param, expected in zip(leaves(params), copies, strict=True):
        assert_same_bits(np.atleast_1d(param), np.atleast_1d(expected))
    assert shape_of(optimizer.state) == shape_of(params)
    for state, expected in zip(leaves(optimizer.state), twin.state, strict=True):
        assert (state["exp_avg"] == expected["exp_avg"]).all()


@nested
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))], ids=["copy", "pickle"])
def test_a_copy_keeps_the_structure(make, duplicate):
    optimizer = duplicate(fastadam.Adam(make(np.full)))
    assert shape_of(optimizer.state) == shape_of(make(np.full))
    optimizer.step(gradients(make))
    assert {int(state["step"]) for state in leaves(optimizer.state)} == {1}


@nested
def test_flatten_and_the_norm_take_it(make):
    flat, views = fastadam.flatten(make(np.full))
    assert shape_of(views) == shape_of(make(np.full))
    assert fastadam.global_norm(make(np.full)) == fastadam.global_norm(flat)


def test_names_of_nested_parameters_are_in_the_state_dict():
    params = {"enc": [layer(1), layer(2)], "head": np.ones(2, F32)}
    state_dict = fastadam.SGD(params).state_dict()
    names = ["enc.0.weight", "enc.0.bias", "enc.1.weight", "enc.1.bias", "head"]
    assert state_dict["param_groups"][0]["param_names"] == names
    other = fastadam.SGD({"dec": [layer(1), layer(2)], "head": np.ones(2, F32)})
    with pytest.raises(ValueError, match=r"no state of \['dec\.0\.weight'"):
        other.load_state_dict(state_dict)


WRONG = [
    (lambda g: g | {"enc": None}, TypeError, ("grads['enc'] is a NoneType, but params['enc'] is a sequence",)),
    (lambda g: g | {"enc": g["enc"][:1]}, ValueError, ("grads['enc'] has 1 members, but params['enc'] has 2",)),
    (lambda g: g | {"enc": [g["enc"][0], {}]}, ValueError, ("grads['enc'][1] does not have the keys of params['enc'][1]",)),
    (lambda g: g | {"enc": [g["enc"][0], [1]]}, TypeError, ("grads['enc'][1] is a list, but params['enc'][1] is a mapping",)),
    (lambda g: g | {"head": layer(1)}, TypeError, ("grads['head'] is a dict", "expected a numpy.ndarray")),
    (lambda g: g | {"head": np.ones(3, F32)}, ValueError, ("grads['head'] has shape (3,)",)),
    (
        lambda g: g | {"enc": [layer(1), layer(1)]},
        ValueError,
        ("grads['enc'][1]['weight'] has shape", "params['enc'][1]['weight']"),
    ),
    (lambda g: [*g.values()], TypeError, ("grads is a list, but params is a mapping",)),
]


@pytest.mark.parametrize(("change", "error", "words"), WRONG)
def test_gradients_of_another_structure_change_nothing(change, error, words):
    params = {"enc": [layer(1), layer(2)], "head": np.ones(2, F32)}
    optimizer = fastadam.Adam(params)
    good = {"enc": [layer(1), layer(2)], "head": np.ones(2, F32)}
    arrays = [*leaves(params), *(array for state in leaves(optimizer.state) for array in state.values())]
    refuses(lambda: optimizer.step(change(good)), error, words, arrays, optimizer)
    optimizer.step(good | {"enc": [{"weight": None, "bias": None}, layer(2)]})
    assert [int(state["step"]) for state in leaves(optimizer.state)] == [0, 0, 1, 1, 1]


BAD_PARAMS = [
    ({"enc": {"w": np.ones(2, np.float16)}}, TypeError, ("params['enc']['w'] has dtype",)),
    ([{"w": np.ones(2, F32)}, {"w": [1.0, 2.0]}], TypeError, ("params[1]['w'] is a list", "asarray")),
    ({"enc": {}, "dec": []}, ValueError, ("params is an empty dict", "at least one array")),
    ({np.float32(1)}, TypeError, ("params is a set, which has no order",)),
]


@pytest.mark.parametrize(("params", "error", "words"), BAD_PARAMS)
def test_nested_parameters_that_do_not_fit(params, error, words):
    refuses(lambda: fastadam.Adam(params), error, words, [])


def test_groups_of_nested_parameters_take_one_sequence_of_gradients():
    first, second, third = layer(1), layer(2), layer(3)
    optimizer = fastadam.SGD([{"params": {"enc": first}}, {"params": [second], "lr": 0.5}], lr=1.0)
    optimizer.add_param_group({"params": {"more": third}, "lr": 0.25})
    optimizer.step([np.ones_like(array) for some in (first, second, third) for array in some.values()])
    assert [float(some["bias"]) for some in (first, second, third)] == [0.0, 1.5, 2.75]
    assert optimizer._members.structure.name("params", 5) == "param_group['params']['more']['bias']"


def test_a_nested_group_is_added_to_a_mapping_by_its_keys():
    params, more = {"enc": [layer(1)]}, {"dec": {"w": np.ones(2, F32)}}
    optimizer = fastadam.SGD(params, lr=1.0)
    optimizer.add_param_group({"params": more})
    optimizer.step({"dec": {"w": np.ones(2, F32)}, "enc": [layer(1)]})
    assert (more["dec"]["w"] == 0).all()
    assert (params["enc"][0]["weight"] == 0).all()
    assert shape_of(optimizer.state) == shape_of(params | more)


ITERABLES = {
    "values": lambda arrays: dict(enumerate(arrays)).values(),
    "generator": lambda arrays: (array for array in arrays),
    "map": lambda arrays: map(np.asarray, arrays),
    "iterator": iter,
    "tuple": tuple,
    "object array of arrays": lambda arrays: OnlyIterable(arrays),
}


class OnlyIterable:
    def __init__(self, arrays):
        self._arrays = arrays

    def __iter__(self):
        return iter(self._arrays)


@pytest.mark.parametrize("iterable", ITERABLES.values(), ids=ITERABLES)
def test_any_iterable_of_parameters_and_gradients(iterable):
    params, grads = [np.ones(3, F32), np.ones(2, F32)], [np.ones(3, F32), np.ones(2, F32)]
    optimizer = fastadam.SGD(iterable(params), lr=0.5)
    optimizer.step(iterable(grads))
    assert all((param == 0.5).all() for param in params)
    grouped = fastadam.SGD(iter([{"params": iterable(params)}]), lr=0.5)
    grouped.step(iterable(grads), max_norm=np.inf)
    assert all((param == 0).all() for param in params)
    assert fastadam.global_norm(iterable(grads)) == fastadam.global_norm(grads)
    assert fastadam.flatten(iterable(grads))[0].size == 5
