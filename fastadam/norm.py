"""The global norm of gradients, on the CPU and on a GPU."""

from collections.abc import Iterator, Mapping, Sequence, ValuesView
from typing import Any, SupportsIndex

from fastadam import _native
from fastadam.backends.dispatch import backend_of
from fastadam.backends.refusals import explain
from fastadam.backends.roles import PARAM
from fastadam.runtime import thread_count
from fastadam.structure import Structure, is_sequence, listed
from fastadam.typing import Array, Branch


def global_norm(
    grads: Array
    | Mapping[Any, Array | None]
    | Mapping[Any, Branch]
    | Sequence[Array | None]
    | Iterator[Array | None]
    | ValuesView[Array | None]
    | Sequence[Branch],
    *,
    num_threads: SupportsIndex | None = None,
) -> float | Any:
    r"""The Euclidean norm of all elements of all gradients together, in float64.

    .. math:: \sqrt{\sum_i \sum_j g_{ij}^2}

    This is the norm that ``max_norm`` of an optimizer's ``step`` uses. Call this function for the norm alone, without a step.

    Parameters
    ----------
    grads : array, or iterable or mapping of arrays, also nested
        float32 or float64 or complex of these, all of one precision, of any shape, without gaps in memory, on one device: NumPy
        arrays, CuPy arrays, or arrays that export their memory by DLPack or ``__cuda_array_interface__``. They can be read-only
        and can overlap. None is skipped.
    num_threads : int, optional
        The most CPU threads to use; by default :func:`fastadam.get_num_threads`. It does not affect the result.

    Returns
    -------
    float or array
        A float; for arrays on a GPU a 0-d array on it, computed asynchronously. 0.0 if there are no elements. It is infinite or
        NaN only if an element is, or if it is itself beyond float64.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.
    ImportError, RuntimeError
        If arrays are on a GPU, and CuPy is missing or cannot compile for it.

    Notes
    -----
    The result has the same bits for every instruction set, number of threads and device. Squares of float32 are exact in
    float64 and neither overflow nor underflow; elements of float64 are scaled by a power of two where theirs would. They are
    added in a fixed order: each array, in the order of memory, in chunks of 2048 elements, where each of 32 lanes adds every
    32nd element, and then the lanes are added in halves. The sums of the chunks are added in the same way until one is left. In
    each round, an element takes part in at most 68 rounded additions. Up to 8e9 elements need at most three rounds, and the
    relative error is at most about :math:`(3 \cdot 68 / 2 + 1) \, 2^{-53}`, less than 1.2e-14.

    :func:`fastadam.reference.global_norm` is the specification.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> fastadam.global_norm({"weight": np.full((2, 2), 3, np.float32), "bias": np.array([8], np.float32)})
    10.0
    """
    threads = 0 if num_threads is None else thread_count("num_threads", num_threads)
    grads = listed(grads, "grads")
    if (isinstance(grads, Mapping) or is_sequence(grads)) and not grads:
        return 0.0
    structure = Structure(grads, "grads")
    members = structure.flatten("grads", grads)
    first = next((i for i, grad in enumerate(members) if grad is not None), 0)

    def look_up(role: int, i: int) -> tuple[str, Any]:
        i = first if role == PARAM else i  # the first array determines the device
        return structure.name("grads", i), members[i]

    try:
        return backend_of(members[first]).global_norm(members, threads)
    except _native.Refused as refused:
        raise explain(refused, look_up) from refused.__cause__
