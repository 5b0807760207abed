"""The order of an array's dimensions in memory. Kernels know nothing of dimensions: they go through memory from end to end.

The arrays here fill a block of memory (:func:`is_dense`).
"""

from collections.abc import Sequence
from typing import Any

from fastadam import _native


def is_dense(array: Any) -> bool:
    """Whether the elements of a NumPy or CuPy array fill a block of memory, in any order of the dimensions."""
    return _native.is_dense(array.shape, array.strides, array.itemsize)


def have_same_order(array: Any, other: Any) -> bool:
    """Whether elements of the same index are at the same place of the block, in two arrays of one shape."""
    steps = zip(array.shape, array.strides, other.strides, strict=True)
    return 0 in array.shape or all(n == 1 or step == expected for n, step, expected in steps)


def axes(shape: Sequence[int], strides: Sequence[int]) -> list[int]:
    """The dimensions in the order of memory: the one with the largest steps first. In the usual order they ascend."""
    return sorted(range(len(shape)), key=lambda d: -strides[d])


def in_order(array: Any) -> Any:
    """A C-contiguous view of an array, with its dimensions in the order of memory."""
    return array.transpose(*axes(array.shape, array.strides))


def shaped(flat: Any, like: Any) -> Any:
    """A view of a one-dimensional array, with the shape of `like` and the order of its dimensions."""
    order = axes(like.shape, like.strides)
    return flat.reshape([like.shape[d] for d in order]).transpose(*map(order.index, range(len(order))))
