"""Arrays of other libraries whose answers are wrong: refused with nothing changed, or stepped as what they are."""

import numpy as np
import pytest
from refusals import F32

import fastadam

ANSWERS = {
    "None": None,
    "a text": "float32",
    "a negative": -1,
    "a huge": 2**70,
    "NaN": float("nan"),
    "empty": (),
    "an object": object(),
    "negatives": (-1, -3),
    "huge ones": (2**62, 8),
    "a mapping": {"data": (0, False), "shape": (6,), "typestr": "<f4", "version": 3},
    "raising": ValueError("mine"),
}
CALLED = ["__dlpack__", "__dlpack_device__", "data_ptr", "numel"]
READ = ["shape", "dtype", "strides", "ndim", "size", "__array_interface__", "__cuda_array_interface__"]


class Exporter:
    """An array as PyTorch's tensors are, but that the answer to one question is another."""

    def __init__(self, array, question, answer):
        self.array, self.question, self.answer = array, question, answer

    def __getattribute__(self, name):
        own = object.__getattribute__
        if name in ("array", "question", "answer", "__class__", "__dict__"):
            return own(self, name)
        if name == self.question:
            if isinstance(self.answer, Exception) and name in READ:
                raise self.answer
            return self.answer if name in READ else own(self, "wrong")
        return own(self, name)

    def wrong(self, *given, **options):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def data_ptr(self):
        return self.array.ctypes.data

    def numel(self):
        return self.array.size

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)
    ndim = property(lambda self: self.array.ndim)


def array():
    return np.linspace(-1, 1, 6, dtype=F32)


def wanted_step():
    param = array()
    fastadam.Adam(param).step(array())
    return param.tobytes()


def as_grad(bad, memory):
    param = array()
    optimizer = fastadam.Adam(param)
    try:
        optimizer.step(bad)
    except (TypeError, ValueError):
        assert param.tobytes() == array().tobytes()
        assert optimizer.step_count == optimizer.state["step"] == 0
        raise
    assert param.tobytes() == wanted_step()


def as_param(bad, memory):
    try:
        fastadam.Adam(bad).step(array())
    except (TypeError, ValueError):
        assert memory.tobytes() == array().tobytes()
        raise
    assert memory.tobytes() == wanted_step()


def added(bad, memory):
    first = array()
    optimizer = fastadam.Adam([first])
    try:
        optimizer.add_param_group({"params": [bad]})
        optimizer.step([array(), array()])
    except (TypeError, ValueError):
        assert memory.tobytes() == first.tobytes() == array().tobytes()
        raise
    assert memory.tobytes() == first.tobytes() == wanted_step()


def in_a_norm(bad, memory):
    assert fastadam.global_norm([array(), bad]) == fastadam.global_norm([array(), array()])


def flattened(bad, memory):
    flat, _ = fastadam.flatten([array(), bad])
    assert flat.tobytes() == 2 * array().tobytes()


@pytest.mark.parametrize("use", [as_grad, as_param, added, in_a_norm, flattened], ids=lambda use: use.__name__)
@pytest.mark.parametrize("question", [*CALLED, *READ])
def test_an_answer_that_is_wrong(question, use):
    for answer in ANSWERS.values():
        memory = array()
        try:
            use(Exporter(memory, question, answer), memory)
        except (TypeError, ValueError):
            assert memory.tobytes() == array().tobytes()
