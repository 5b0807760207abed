"""Copies of an optimizer: of its state alone, and of parameters that share memory with others."""

import copy
import pickle

import numpy as np
import pytest
from buffers import assert_same_bits
from refusals import F32, owned
from resuming import trained
from variants import ONE_OF_EACH

import fastadam
from fastadam import flat


@pytest.mark.parametrize("variant", ONE_OF_EACH, ids=str)
def test_a_shallow_copy_shares_parameters_alone(variant):
    optimizer, params, grads = trained(variant)
    start = [param.copy() for param in params]
    other = copy.copy(optimizer)
    assert all(a is b for a, b in zip(other._members.params, optimizer._members.params, strict=True))
    assert repr(other) == repr(optimizer)

    def gone_on(which):
        for param, value in zip(params, start, strict=True):
            param[...] = value
        for some in grads:
            which.step(some)
        return [np.array(each) for each in owned(which)], which.step_count

    (first, count), (second, other_count) = gone_on(optimizer), gone_on(other)
    assert count == other_count
    for a, b in zip(first, second, strict=True):
        assert_same_bits(a, b) if a.dtype == F32 else np.testing.assert_array_equal(a, b)


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda one: pickle.loads(pickle.dumps(one))}


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("over", ["flat", "views", "one view"])
def test_copies_that_would_leave_views_behind_are_refused(duplicate, over):
    buffer, views = fastadam.flatten({"a": np.ones(3, F32), "b": np.ones((2, 2), F32)})
    optimizer = fastadam.Adam({"flat": buffer, "views": views, "one view": views["a"]}[over])
    with pytest.raises(ValueError, match=r"shares memory with views of fastadam\.flatten.*load_state_dict"):
        duplicate((optimizer, buffer, views))
    if over != "views":
        del views
    if over != "flat":
        del buffer
    other = duplicate(optimizer)
    assert other.step_count == 0


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_the_advice_for_views_trains_them(duplicate):
    def gradient(views):
        return fastadam.flatten({key: 2 * view for key, view in views.items()})[0]

    buffer, views = fastadam.flatten({"a": np.ones(3, F32), "b": np.ones((2, 2), F32)})
    optimizer = fastadam.Adam(buffer)
    optimizer.step(gradient(views))
    other_buffer, other_views = fastadam.flatten(duplicate(views))
    other = fastadam.Adam(other_buffer)
    other.load_state_dict(optimizer.state_dict())
    optimizer.step(gradient(views))
    other.step(gradient(other_views))
    for key, view in views.items():
        assert_same_bits(view, other_views[key])
        assert (view != 1).all()


def test_nothing_is_kept_of_buffers_that_are_gone():
    before = len(flat._families)
    for _ in range(3):
        fastadam.flatten([np.ones(3, F32)] * 4)
    pair = fastadam.flatten(np.ones(3, F32))
    assert len(flat._families) == before + 2
    del pair
    assert len(flat._families) == before
