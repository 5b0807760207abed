"""The CPU backend: steps NumPy arrays, and others that export their memory by DLPack, with the native module."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastadam import _native
from fastadam._native import Refused
from fastadam.at_once import Call
from fastadam.backends import layouts
from fastadam.backends.devices import has, is_lazy, is_masked
from fastadam.backends.dtypes import both_parts, like
from fastadam.backends.roles import PARAM, Place
from fastadam.half import bfloat16, half_of

CACHE_LINE = 64  # bytes


def tensors(
    params: Sequence[Any],
    states: Sequence[Sequence[Any]],
    group_sizes: Sequence[int],
    rules: Sequence[_native.Rule],
    steps: Sequence[int],
    capturable: bool = False,
) -> _native.Tensors:
    """See :class:`fastadam.backends.protocol.Backend`."""
    if capturable:
        raise ValueError("capturable is True, which is for CUDA graphs, but the parameters are not on a GPU; leave it out")
    return _native.Tensors(params, states, group_sizes, rules, steps)


def full_like(param: Any, values: Sequence[float | None]) -> list[NDArray[Any]]:
    """See :class:`fastadam.backends.protocol.Backend`."""
    return arrays_like(param, [(value, None) for value in values])


def arrays_like(param: Any, wanted: Sequence[tuple[float | None, Any]]) -> list[NDArray[Any]]:
    """The same with the dtype of each array, None for the parameter's.

    Each array has the parameter's order of dimensions and its offset from a cache line, so that a kernel that starts at a cache
    line of one array does so for all.
    """
    try:
        param = view(param, (PARAM, 0))
    except Refused:
        return []
    if not layouts.is_dense(param):
        return []
    arrays = []
    for value, given in wanted:
        dtype = like(param) if given is None else np.dtype(given)
        line = CACHE_LINE // dtype.itemsize
        size = param.size + line - 1
        number = both_parts(value, dtype)
        buffer = np.full(size, number, dtype) if number else np.zeros(size, dtype)
        start = (param.ctypes.data - buffer.ctypes.data) // dtype.itemsize % line
        arrays.append(layouts.shaped(buffer[start : start + param.size], param))
        if value is None:
            arrays[-1][...] = param
    return arrays


def exported(array: Any, place: Place) -> NDArray[Any]:
    """A NumPy array over the memory of another library's array. Raises Refused, from what the array raised."""
    if not has(array, "__dlpack__"):
        raise Refused("type", place, place, "")
    try:
        if is_lazy(array):
            raise Refused("lazy", place, place, "")
        if half_of(array) == "bfloat16":
            return _native.bfloat16_bits(array, place)
        return np.from_dlpack(array)
    except (MemoryError, Refused):  # no fault of its export
        raise
    except Exception as error:
        raise Refused("export", place, place, str(error)) from error


def view(array: Any, place: Place) -> NDArray[Any]:
    """See :class:`fastadam.backends.protocol.Backend`."""
    if isinstance(array, bfloat16):
        return array.bits
    return array if isinstance(array, np.ndarray) else exported(array, place)


def pack(arrays: Sequence[Any]) -> NDArray[Any]:
    """See :class:`fastadam.backends.protocol.Backend`."""
    members = []
    dtype = like(first) if isinstance(first := arrays[0], np.ndarray) else like(exported(first, (PARAM, 0)))
    for i, array in enumerate(arrays):
        place = (PARAM, i)
        if is_masked(array):
            raise Refused("masked", place, place, "")
        members.append(view(array, place).reshape(-1))
        if members[-1].dtype != dtype:
            raise Refused("dtype", place, place, dtype.name)
    # NumPy advises the system to use huge pages for large arrays.
    size = sum(member.size for member in members)
    line = CACHE_LINE // dtype.itemsize
    buffer = np.empty(size + line - 1, dtype)
    start = -buffer.ctypes.data // dtype.itemsize % line
    return np.concatenate(members, out=buffer[start : start + size])


def compile(tensors: Any) -> None:
    """See :class:`fastadam.backends.protocol.Backend`. The CPU's kernels were compiled when the package was built."""


def global_norm(grads: Sequence[Any], threads: int) -> float:
    """See :class:`fastadam.backends.protocol.Backend`."""
    return _native.global_norm(grads, threads)


def to_host(array: Any) -> NDArray[Any]:
    """See :class:`fastadam.backends.protocol.Backend`."""
    return array if isinstance(array, np.ndarray) else np.from_dlpack(array)


def assignment(array: Any, values: Any) -> Call:
    """See :class:`fastadam.backends.protocol.Backend`."""
    return operator.setitem, to_host(array), ..., values


def rule_calls(tensors: _native.Tensors, rules: Sequence[_native.Rule]) -> list[Call]:
    """See :class:`fastadam.backends.protocol.Backend`."""
    return [(tensors.set_rules, rules)]
