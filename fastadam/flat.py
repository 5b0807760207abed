"""Copies arrays into one buffer and returns views of it."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence, ValuesView
from typing import Any, TypeVar, overload

from fastadam._native import Refused
from fastadam.backends.dispatch import backend_of
from fastadam.backends.refusals import explain, trait
from fastadam.structure import Structure, listed
from fastadam.typing import Array, Branch, HostOrDevice

_Key = TypeVar("_Key")


@overload
def flatten(arrays: Array) -> tuple[HostOrDevice, HostOrDevice]: ...
@overload
def flatten(arrays: Mapping[_Key, Array]) -> tuple[HostOrDevice, dict[_Key, HostOrDevice]]: ...
@overload
def flatten(arrays: Mapping[_Key, Branch]) -> tuple[HostOrDevice, dict[_Key, Any]]: ...
@overload
def flatten(arrays: Sequence[Branch]) -> tuple[HostOrDevice, tuple[Any, ...]]: ...
@overload
def flatten(arrays: Sequence[Array] | Iterator[Array] | ValuesView[Array]) -> tuple[HostOrDevice, tuple[HostOrDevice, ...]]: ...
def flatten(arrays: Any) -> tuple[Any, Any]:
    """Copy arrays into one flat buffer, the fastest way to step many small arrays.

    For an optimizer the buffer is one array, however many are in it. Use the views, which share its memory, in your model.
    Flatten the gradients too.

    Parameters
    ----------
    arrays : array, or iterable or mapping of arrays, also nested
        float32, of any shape and layout, on one device: NumPy arrays, CuPy arrays, or arrays that export their memory by DLPack
        or ``__cuda_array_interface__``. Their values are copied.

    Returns
    -------
    flat : array
        A one-dimensional NumPy or CuPy array of all elements, in C order, without gaps. It is aligned to 64 bytes. NumPy
        requests huge pages for it on systems where it does so, such as Linux.
    views : array, tuple or dict
        Views of `flat` with the arrays' shapes, in the structure of `arrays`, with tuples for sequences.

    Raises
    ------
    TypeError, ValueError
        If there is no array, or one is not float32 or not on the device of the first one.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> flat, params = fastadam.flatten({"weight": np.ones((2, 3), np.float32), "bias": np.zeros(2, np.float32)})
    >>> flat_grad, grads = fastadam.flatten({key: np.zeros_like(param) for key, param in params.items()})
    >>> optimizer = fastadam.SGD(flat, lr=0.5)
    >>> grads["bias"][...] = [1, -1]
    >>> optimizer.step(flat_grad)
    >>> params["bias"]
    array([-0.5,  0.5], dtype=float32)
    """
    arrays = listed(arrays, "arrays")
    structure = Structure(arrays, "arrays")
    members = structure.flatten("arrays", arrays)
    try:
        flat = backend_of(members[0]).pack(members)
    except Refused as refused:
        raise explain(refused, lambda _, i: (structure.name("arrays", i), members[i]), True) from refused.__cause__
    shapes = [tuple(trait(array, "shape")) for array in members]
    ends = itertools.accumulate(math.prod(shape) for shape in shapes)
    views = [flat[end - math.prod(shape) : end].reshape(shape) for shape, end in zip(shapes, ends, strict=True)]
    return flat, structure.unflatten(views)
