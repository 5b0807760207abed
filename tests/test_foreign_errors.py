"""What foreign code raises inside a call: an error of an array is the cause of a TypeError, anything else passes as it is."""

import numpy as np
import pytest
from refusals import F32, everything, refuses, trained

import fastadam

ABOUT_THE_ARRAY = [
    AttributeError,
    BufferError,
    KeyError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    ZeroDivisionError,
]
PASSES = [KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError, type("Own", (BaseException,), {})]


class Failing:
    """An array of another library whose export fails, where `place` says."""

    dtype, shape, ndim = np.dtype(F32), (6,), 1

    def __init__(self, error, place="export"):
        self.error, self.place = error, place

    def __dlpack_device__(self):
        return (1, 0)

    @property
    def __dlpack__(self):
        if self.place == "attribute":
            raise self.error
        return self.export

    def export(self, **options):
        raise self.error


def array():
    return np.ones(6, F32)


# Each asks a foreign array for its memory.
EXPORTS = {
    "a gradient": lambda bad: fastadam.Adam(array()).step(bad),
    "the last gradient": lambda bad: fastadam.Adam([array(), array()]).step([array(), bad]),
    "a parameter": lambda bad: fastadam.Adam([array(), bad]),
    "an added parameter": lambda bad: fastadam.Adam([array()]).add_param_group({"params": [bad]}),
    "the norm": lambda bad: fastadam.global_norm([array(), bad]),
    "flatten": lambda bad: fastadam.flatten([array(), bad]),
    "a stateless parameter": lambda bad: fastadam.adam_step(bad, *np.ones((3, 6), F32), step=1),
    "a stateless gradient": lambda bad: fastadam.adam_step(array(), bad, *np.ones((2, 6), F32), step=1),
    "a stateless state": lambda bad: fastadam.adam_step(*np.ones((2, 6), F32), bad, array(), step=1),
}


@pytest.mark.parametrize("place", ["export", "attribute"])
@pytest.mark.parametrize("call", EXPORTS.values(), ids=EXPORTS)
def test_an_export_that_fails(call, place):
    for kind in PASSES:
        error = kind("mine")
        with pytest.raises(kind) as caught:
            call(Failing(error, place))
        assert caught.value is error
    for kind in ABOUT_THE_ARRAY:
        error = kind("mine")
        missing = kind is AttributeError and place == "attribute"  # as if it had no such attribute
        with pytest.raises(TypeError, match="expected a numpy.ndarray" if missing else "mine") as caught:
            call(Failing(error, place))
        assert caught.value.__cause__ is (None if missing else error)


class Sequence(list):
    """A sequence whose members cannot be had."""

    error = None

    def __getitem__(self, i):
        raise self.error

    def __iter__(self):
        raise self.error


class Mapping(dict):
    error = None

    def __getitem__(self, key):
        raise self.error


def raising(error):
    def schedule(t):
        raise error

    return schedule


def failing_members(kind, error):
    values = kind([(0, array()), (1, array())] if kind is Mapping else [array(), array()])
    values.error = error
    return values


def scheduled_step(error):
    optimizer = fastadam.Adam(array(), lr=raising(error))
    optimizer.step(array())


# Each runs other code of the caller's, whose errors are not about an array.
CALLS = {
    "a schedule": scheduled_step,
    "a sequence": lambda error: fastadam.Adam([array(), array()]).step(failing_members(Sequence, error)),
    "a mapping": lambda error: fastadam.Adam({0: array(), 1: array()}).step(failing_members(Mapping, error)),
    "an iterator": lambda error: fastadam.Adam([array()]).step(map(raising(error), [0])),
    "the norm of a mapping": lambda error: fastadam.global_norm(failing_members(Mapping, error)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_other_code_of_the_caller_that_fails(call):
    for kind in (*PASSES, *ABOUT_THE_ARRAY):
        error = kind("mine")
        with pytest.raises(kind) as caught:
            call(error)
        assert caught.value is error


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError, ValueError])
def test_a_step_that_an_export_ends_changes_nothing(kind):
    optimizer, params, grads = trained()
    bad = [*grads[:2], Failing(kind("mine"))]
    refuses(
        lambda: optimizer.step(bad), TypeError if kind is ValueError else kind, (), everything(optimizer, params), optimizer
    )
    assert optimizer.step_count == 1
