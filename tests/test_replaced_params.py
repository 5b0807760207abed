"""A parameter replaced in the caller's mapping or list, where nothing would train it, is noticed at the next step."""

import copy
import pickle
from collections import OrderedDict, UserDict, UserList

import numpy as np
import pytest
from refusals import F32, owned

import fastadam


def array():
    return np.ones(3, F32)


def two():
    return {"w": array(), "b": array()}


# How the parameters are passed: the argument, and where the array named last is: a container and its key.
def whole(kind):
    container = kind(two() if kind in (dict, OrderedDict, UserDict) else two().values())
    return container, container, "b" if isinstance(container, dict | UserDict) else 1


def nested():
    inner = [array()]
    return {"w": array(), "b": inner}, inner, 0


def outer_of_nested():
    container = {"b": [array()], "w": array()}
    return container, container, "w"


def in_group():
    container = two()
    return [{"params": container}, {"params": {"other": array()}, "lr": 2.0}], container, "b"


def in_tuple():
    container = two()
    return (array(), container), container, "b"


PASSED = {kind.__name__: (lambda kind=kind: whole(kind)) for kind in (dict, OrderedDict, UserDict, list, UserList)} | {
    made.__name__: made for made in (nested, outer_of_nested, in_group, in_tuple)
}


def gradients(optimizer):
    return optimizer._members.structure.unflatten([array() for _ in optimizer._members.params])


def make(params):
    return fastadam.SGD(params, lr=0.5, momentum=0.9)


@pytest.fixture(params=PASSED, ids=str)
def passed(request):
    params, container, key = PASSED[request.param]()
    return make(params), container, key


def assert_refused(optimizer, name):
    before = [each.copy() for each in owned(optimizer)]
    with pytest.raises(ValueError, match=rf"{name} is no longer the array that this optimizer steps"):
        optimizer.step(gradients(optimizer))
    assert all((a == b).all() for a, b in zip(before, owned(optimizer), strict=True))
    assert optimizer.step_count == 1


def test_a_replaced_parameter_is_refused(passed):
    optimizer, container, key = passed
    optimizer.step(gradients(optimizer))
    kept = container[key]
    container[key] = container[key] - 1
    assert_refused(optimizer, rf"params.*\[{key!r}\]")
    container[key] = kept
    optimizer.step(gradients(optimizer))


def test_what_is_updated_in_place_or_taken_out_is_stepped(passed):
    optimizer, container, key = passed
    container[key] -= 1
    optimizer.step(gradients(optimizer))
    container.pop(key)
    optimizer.step(gradients(optimizer))
    assert optimizer.step_count == 2


def test_a_parameter_of_an_added_group():
    optimizer, added = make(two()), {"c": array()}
    optimizer.add_param_group({"params": added})
    grads = {"w": array(), "b": array(), "c": array()}
    optimizer.step(grads)
    added["c"] = added["c"] * 2
    optimizer.add_param_group({"params": {"d": array()}})
    assert_refused(optimizer, r"param_group\['params'\]\['c'\]")


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
@pytest.mark.parametrize("kind", [dict, list])
def test_copies_notice_it_too(duplicate, kind):
    params, _, key = whole(kind)
    optimizer = make(params)
    if duplicate is copy.copy:
        other, other_params = copy.copy(optimizer), params
    else:
        other, other_params = duplicate((optimizer, params))
    other.step(gradients(other))
    other_params[key] = other_params[key] - 1
    assert_refused(other, rf"params\[{key!r}\]")


def test_a_mapping_that_makes_its_arrays_is_not_asked_again():
    class Making(UserDict):
        def __getitem__(self, key):
            return self.data[key][:]

    params = Making(two())
    optimizer = make(params)
    optimizer.step(two())
    assert params["b"][0] == 0.5


def test_an_iterator_and_a_tuple_have_nothing_to_replace():
    for params in (tuple(two().values()), iter(two().values()), array()):
        assert not make(params)._members._origins or not isinstance(params, tuple | np.ndarray)


def test_errors_of_a_mapping_pass():
    class Fails(UserDict):
        fails = False

        def __getitem__(self, key):
            if self.fails:
                raise OSError("gone")
            return self.data[key]

    params = Fails(two())
    optimizer = make(params)
    params.fails = True
    with pytest.raises(OSError, match="gone"):
        optimizer.step(two())
    assert optimizer.step_count == 0
