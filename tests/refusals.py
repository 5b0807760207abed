"""Arguments that fit, arrays that do not, and the check that a refusal explains itself and changes nothing."""

import re

import numpy as np
import pytest

import fastadam

F32 = np.float32
ARRAYS = ("param", "grad", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
OPTIMIZERS = [fastadam.Adam, fastadam.AdamW]


def step_arguments():
    """Arrays for a step that is fine, with state that has seen steps."""
    rng = np.random.default_rng(0)
    return {name: rng.random(6, F32) for name in ARRAYS}


def trained(cls=fastadam.Adam, **options):
    """An optimizer of three parameters that has taken a step, its parameters and good gradients."""
    rng = np.random.default_rng(0)
    params = [rng.random(6, F32) for _ in range(3)]
    grads = [rng.random(6, F32) for _ in params]
    optimizer = cls(params, amsgrad=True, **options)
    optimizer.step(grads)
    return optimizer, params, grads


def everything(optimizer, params):
    return [*params, *(array for state in optimizer.state for array in state.values())]


def owned(optimizer):
    """All arrays that an optimizer updates, whatever the structure of its parameters."""
    members = optimizer._members
    return [*members.params, *(array for state in members.states for array in state.values()), members.tensors.steps]


def refuses(call, error, words, arrays, optimizer=None):
    """`call` raises `error` with `words`, in that order, in its message, and leaves every bit of `arrays` and the options."""

    def snapshot():
        return repr(optimizer), [(a.shape, a.dtype, a.tobytes()) for a in arrays if isinstance(a, np.ndarray)]

    before = snapshot()
    with pytest.raises(error, match=re.compile(".*".join(map(re.escape, words)), re.DOTALL)):
        call()
    assert snapshot() == before, "something was changed"


def read_only(array):
    array.flags.writeable = False
    return array


def dtype_cases():
    dtypes = [np.longdouble, np.int32, np.clongdouble, np.bool_, np.dtype(F32).newbyteorder()]
    for dtype in map(np.dtype, dtypes):
        words = (
            f"has dtype {dtype.str!r}",
            "expected " if dtype.kind == "c" else "expected float32",  # complex64 for a complex parameter
            "in native byte order",
            "astype",
        )
        yield pytest.param(lambda dtype=dtype: np.zeros(6, dtype), TypeError, words, id=dtype.str)


def type_cases():
    for value in ([0.0] * 6, 0.5, None, memoryview(np.zeros(6, F32)), F32(1), "w"):
        kind = type(value).__name__
        yield pytest.param(lambda v=value: v, TypeError, (f"is a {kind};", "expected a numpy.ndarray", "asarray"), id=kind)


# What does not fit: how to make it, the error, and what its message says after the name.
BAD_ARRAYS = [
    *dtype_cases(),
    *type_cases(),
    *(
        pytest.param(make, ValueError, (f"strides {make().strides}", "expected", "ascontiguousarray"), id=kind)
        for kind, make in {
            "every-second": lambda: np.zeros(12, F32)[::2],
            "backwards": lambda: np.zeros(6, F32)[::-1],
            "part of a transposed": lambda: np.zeros((2, 4), F32).T[:3],
            "repeated": lambda: np.broadcast_to(np.zeros(3, F32), (2, 3)),
        }.items()
    ),
    pytest.param(
        lambda: np.zeros(25, np.uint8)[1:].view(F32),
        ValueError,
        ("not aligned", "expected an aligned", ".copy()"),
        id="misaligned",
    ),
    *(
        pytest.param(
            lambda mask=mask: np.ma.masked_array(np.zeros(6, F32), mask),
            TypeError,
            ("masked array", "expected an array without a mask", "data"),
            id=f"masked-{kind}",
        )
        for kind, mask in {"nothing": np.ma.nomask, "first": [True] + [False] * 5, "all": True}.items()
    ),
]
BAD_GRADS = [case for case in BAD_ARRAYS if case.id != "NoneType"]  # None is no gradient
WRONG_SHAPES = [(7,), (5,), (0,), (), (6, 1), (1, 6), (2, 3)]
