"""What sessions with optimizers are made of: values of hyperparameters, shapes, structures, and what is none of these."""

import decimal
import fractions
import math

import numpy as np

F32 = np.float32
SHAPES = ((5,), (), (2, 3), (0,), (33,), (1, 1, 7), (3, 0, 2), (130,))
# For each hyperparameter, values that are right for it.
NUMBERS = (0.0, 0.5, 0.1, 0.9, 0.999, 1e-3, 1e-8)
RIGHT = {"betas": ((0.9, 0.999), (0.0, 0.5), [0.5, 0.0])}
FLAGS = ("maximize", "amsgrad", "centered", "decoupled_weight_decay", "bias_correction", "cautious_weight_decay")
STRANGE = (
    *(
        -1,
        1,
        2,
        math.nan,
        math.inf,
        1e39,
        1e400,
        10**400,
        -0.0,
        5e-324,
        True,
        None,
        "0.1",
        b"1",
        [0.5],
        (0.5,),
        {},
        0.5j,
        object(),
    ),
    *(np.float64(0.5), F32(0.5), np.array(0.5), np.array([0.5]), np.array("x"), np.datetime64(1, "s"), np.ma.masked),
    *(decimal.Decimal("0.5"), fractions.Fraction(1, 2), lambda step: 0.5, lambda step: "x", lambda: 0.5, lambda step: 1 / 0),
    *((0.9, 1.0), (0.9, 0.9, 0.9), (lambda step: 0.5, 0.5), range(2), "ab", iter((0.5, 0.5)), np.array([0.5, 0.5])),
)


class OnlyDLPack:
    """An array of another library."""

    def __init__(self, array):
        self._array, self.__dlpack_device__ = array, array.__dlpack_device__

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)


def misaligned(array):
    moved = np.frombuffer(bytearray(4 * array.size + 5), F32, array.size, offset=1).reshape(array.shape)
    moved[...] = array
    return moved


# What is neither a parameter nor a gradient, made from one.
WRONG = (
    *(lambda array, dtype=dtype: array.astype(dtype) for dtype in ("g", "G", "i4", "u2", "?", ">f4", "O", "U3")),
    *(np.ma.array, misaligned, memoryview, bytes, lambda array: None, lambda array: "x", lambda array: array.tolist()),
    *(lambda array: np.repeat(array.reshape(-1), 2)[::2][None], lambda array: np.recarray(array.shape, [("x", "f4")])),
    *(
        lambda array: array.shape,
        lambda array: object(),
        lambda array: np.float64(1),
        lambda array: [array, array],
    ),
)


def nested(arrays):
    return {"a": {"b": arrays[0], "c": list(arrays[1:2])}, "d": tuple(arrays[2:])}


STRUCTURES = {
    "one": (1, lambda arrays: arrays[0]),
    "list": (3, list),
    "iterator": (3, iter),
    "dict": (3, lambda arrays: {f"p{i}": array for i, array in enumerate(arrays)}),
    "numbers": (2, lambda arrays: dict(enumerate(arrays))),
    "nested": (4, nested),
    "groups": (3, list),
}
