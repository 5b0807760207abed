"""The global norm of gradients, on the CPU and on a GPU."""

from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex

from fastadam import _native
from fastadam.backends.dispatch import backend_of
from fastadam.backends.refusals import explain
from fastadam.backends.roles import PARAM
from fastadam.runtime import thread_count
from fastadam.structure import Structure, is_sequence
from fastadam.typing import Array


def global_norm(
    grads: Array | Mapping[Any, Array | None] | Sequence[Array | None], *, num_threads: SupportsIndex | None = None
) -> float | Any:
    r"""The Euclidean norm of all elements of all gradients together, in float64.

    .. math:: \sqrt{\sum_i \sum_j g_{ij}^2}

    This is what ``max_norm`` of an optimizer's ``step`` clips by. Call it to look at gradients that are not stepped, or not
    yet.

    Parameters
    ----------
    grads : array, or sequence or mapping of arrays
        float32 arrays, C-contiguous, of any shapes, all in the CPU's memory (NumPy) or on one GPU (CuPy), or exporting such
        memory by DLPack or ``__cuda_array_interface__``. They may be read-only and overlap. None in place of an array is
        left out.
    num_threads : int, optional
        How many of the CPU's threads to use at most; by default as many as :func:`fastadam.get_num_threads` says. The
        result does not depend on it.

    Returns
    -------
    float or array
        For arrays on a GPU a 0-d array there, which nothing waits for; otherwise a float. 0.0 if there are no elements;
        infinite or NaN if an element is infinite or NaN, and only then.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.
    ImportError, RuntimeError
        If arrays are on a GPU, and CuPy is missing or cannot compile for it.

    Notes
    -----
    The result has the same bits whatever the instruction set, the number of threads or the device. Squares of float32 are
    exact in float64, neither overflow nor underflow, and are added up in one order: each array in chunks of 2048 elements,
    of which 32 lanes take every 32nd element each, and then the lanes in halves; and the chunks' sums in chunks in the same
    way, until one is left. In each of these rounds at most 68 additions are rounded on the way of an element. With up to
    8e9 elements there are at most three rounds, and the relative error is at most about :math:`(3 \cdot 68 / 2 + 1) \,
    2^{-53}`, less than 1.2e-14.

    :func:`fastadam.reference.global_norm` is the specification.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> fastadam.global_norm({"weight": np.full((2, 2), 3, np.float32), "bias": np.array([8], np.float32)})
    10.0
    """
    threads = 0 if num_threads is None else thread_count("num_threads", num_threads)
    if (isinstance(grads, Mapping) or is_sequence(grads)) and not grads:
        return 0.0
    structure = Structure(grads, "grads")
    members = structure.flatten("grads", grads)
    first = next((i for i, grad in enumerate(members) if grad is not None), 0)

    def look_up(role: int, i: int) -> tuple[str, Any]:
        i = first if role == PARAM else i  # the one that says where all should be
        return structure.name("grads", i), members[i]

    try:
        return backend_of(members[first]).global_norm(members, threads)
    except _native.Refused as refused:
        raise explain(refused, look_up) from None
