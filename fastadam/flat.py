"""Copies arrays into one buffer and returns views of it."""

import functools
import itertools
import math
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence, ValuesView
from typing import Any, TypeVar, overload

from fastadam._native import Refused
from fastadam.backends.dispatch import backend_of
from fastadam.backends.refusals import explain, trait
from fastadam.structure import Structure, listed
from fastadam.typing import Array, Branch, HostOrDevice

_Key = TypeVar("_Key")

# Of each buffer and view that is alive, by its id: all that share its memory.
_families: dict[int, list["weakref.ref[Any]"]] = {}


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
        float32, float64, complex64 or complex128, all of one type, of any shape and layout, on one device: NumPy arrays, CuPy
        arrays, or arrays that export their memory by DLPack or ``__cuda_array_interface__``. Their values are copied.

    Returns
    -------
    flat : array
        A one-dimensional NumPy or CuPy array of all elements, in C order, without gaps. It is aligned to 64 bytes. NumPy
        requests huge pages for it on systems where it does so, such as Linux.
    views : array, tuple or dict
        Views of `flat` with the arrays' shapes, in the structure of `arrays`, with tuples for sequences.

    Notes
    -----
    ``copy.deepcopy`` and ``pickle`` copy each array by itself: copies of the views do not share the memory of a copy of `flat`.
    Copies of an optimizer are refused while there are views that would be left behind. Flatten the copied views again.

    Raises
    ------
    TypeError, ValueError
        If there is no array, or one is of another dtype or not on the device of the first one.

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
    family = [weakref.ref(array, functools.partial(_forget, id(array))) for array in (flat, *views)]
    _families.update((id(array), family) for array in (flat, *views))
    return flat, structure.unflatten(views)


def _forget(key: int, _: Any) -> None:
    _families.pop(key, None)


def has_others(arrays: Iterable[Any]) -> bool:
    """Whether there are views, or the buffer, of which only some are among `arrays`."""
    known = set(map(id, arrays))
    families = {id(family): family for key in known if (family := _families.get(key))}
    alive = (array for family in families.values() for each in family if (array := each()) is not None)
    return any(id(array) not in known for array in alive)
