"""The functions of :class:`fastadam.backends.protocol.Backend` for arrays on a GPU."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastadam._native import Refused, Rule
from fastadam.at_once import Call
from fastadam.backends import layouts
from fastadam.backends.cuda import arrays
from fastadam.backends.cuda.capturable import CapturableTensors
from fastadam.backends.cuda.cupy_runtime import gpu
from fastadam.backends.cuda.device_norm import global_norm
from fastadam.backends.cuda.tensors import Tensors
from fastadam.backends.dtypes import both_parts, like
from fastadam.backends.refusals import explain
from fastadam.backends.roles import PARAM, Place

__all__ = ["assignment", "compile", "full_like", "global_norm", "pack", "rule_calls", "tensors", "to_host", "view"]

VECTOR = 16  # bytes that a kernel loads or stores at once


def tensors(
    params: Sequence[Any],
    states: Sequence[Sequence[Any]],
    group_sizes: Sequence[int],
    rules: Sequence[Rule],
    steps: Sequence[int],
    capturable: bool = False,
) -> Tensors:
    """See :class:`fastadam.backends.protocol.Backend`."""
    return (CapturableTensors if capturable else Tensors)(params, states, group_sizes, rules, steps)


def compile(tensors: Any) -> None:
    """See :class:`fastadam.backends.protocol.Backend`."""
    tensors.compile()


def rule_calls(tensors: Tensors, rules: Sequence[Rule]) -> list[Call]:
    """See :class:`fastadam.backends.protocol.Backend`."""
    return tensors.rule_calls(rules)


def full_like(param: Any, values: Sequence[float | None]) -> list[Any]:
    """See :class:`fastadam.backends.protocol.Backend`.

    Each array has the parameter's order of dimensions and its offset from a 16-byte boundary, so that a kernel that starts at
    such a boundary of one array does so for all.
    """
    try:
        param = arrays.taken_over(param, (PARAM, 0), True)
    except Refused:
        return []
    if not layouts.is_dense(param):
        return []
    dtype, width = like(param), VECTOR // like(param).itemsize
    with gpu().on(param.data.device_id):
        buffers = [gpu().full(param.size + width - 1, both_parts(value, dtype), dtype) for value in values]
        starts = [(param.data.ptr - buffer.data.ptr) // dtype.itemsize % width for buffer in buffers]
        flat = [buffer[start : start + param.size] for buffer, start in zip(buffers, starts, strict=True)]
        for array, value in zip(flat, values, strict=True):
            if value is None:
                gpu().concatenate([layouts.in_order(param).reshape(-1)], array)
    return [layouts.shaped(array, param) for array in flat]


def view(array: Any, place: Place) -> Any:
    """See :class:`fastadam.backends.protocol.Backend`."""
    return arrays.taken_over(array, place, True)


def to_host(array: Any) -> Any:
    """See :class:`fastadam.backends.protocol.Backend`."""
    if isinstance(array, np.ndarray):
        return array
    try:
        return gpu().to_host(arrays.taken_over(array, (PARAM, 0), False))
    except Refused as refused:
        raise explain(refused, lambda *_: ("an array of the state", array), only_read=True) from refused.__cause__


def assignment(array: Any, values: Any) -> Call:
    """See :class:`fastadam.backends.protocol.Backend`."""
    if isinstance(array, np.ndarray):
        return operator.setitem, array, ..., values
    turned = np.transpose(values, layouts.axes(array.shape, array.strides))
    return gpu().assignment(layouts.in_order(array).reshape(-1), np.ascontiguousarray(turned, array.dtype).reshape(-1))


def pack(members: Sequence[Any]) -> Any:
    """See :class:`fastadam.backends.protocol.Backend`."""
    views = [arrays.taken_over(member, (PARAM, i), False) for i, member in enumerate(members)]
    device, dtype = views[0].data.device_id, like(views[0])
    for i, view in enumerate(views):
        if view.data.device_id != device:
            raise Refused("device", (PARAM, i), (PARAM, 0), "")
        if view.dtype != dtype:
            raise Refused("dtype", (PARAM, i), (PARAM, i), dtype.name)
    size, line = sum(view.size for view in views), 64 // dtype.itemsize
    with gpu().on(device):
        buffer = gpu().empty(size + line - 1, dtype)
        start = -buffer.data.ptr // dtype.itemsize % line
        flat = buffer[start : start + size]
        gpu().concatenate([view.reshape(-1) for view in views], flat)
    return flat
