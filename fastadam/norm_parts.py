"""The global norm of gradients that are spread over processes."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, SupportsIndex

from fastadam import _native
from fastadam.backends.devices import is_on_gpu
from fastadam.backends.refusals import explain
from fastadam.backends.roles import PARAM
from fastadam.optimizers.checks import positive
from fastadam.plain_numbers import to_int
from fastadam.runtime import thread_count
from fastadam.structure import Structure, listed

_MOST = 2**55  # elements of a whole: fewer


def norm_part(grads: Any, *, sizes: Any, begins: Any, scale: float = 1.0, num_threads: SupportsIndex | None = None) -> bytes:
    r"""The part that this process's shards of gradients have in the global norm of all.

    Each process calls this, sends the result to the others, and all call :func:`fastadam.combined_norm`. That norm has the bits
    of :func:`fastadam.global_norm` of the whole gradients, wherever they are cut.

    Parameters
    ----------
    grads : array, or iterable or mapping of arrays, also nested
        Of each gradient of the whole model the elements that this process has, which follow each other in the order of memory;
        None if it has none. float32 or float64, all of one type, of any shape, without gaps in memory, in the CPU's memory.
        They are only read. Their order, also that of a mapping, is the same in all processes. Of complex arrays pass the views
        of their parts, ``g.view(g.real.dtype)``.
    sizes : int, or the structure of `grads` with ints
        How many elements each whole gradient has, the same in all processes; 0 for one that is None in all.
    begins : int, or the structure of `grads` with ints
        Which element of the whole gradient, from 0, the first one here is.
    scale : float
        1, or what :func:`fastadam.combined_norm` asks for: a power of two that the elements are multiplied by.
    num_threads : int, optional
        The most CPU threads to use; by default :func:`fastadam.get_num_threads`. It does not affect the result.

    Returns
    -------
    bytes
        To be sent as it is, or as the NumPy array ``numpy.frombuffer(part, numpy.uint8)``. For elements of one gradient that
        follow each other, at most 36 kB up to :math:`8 \cdot 10^9` elements of the whole, of each process; 17 kB more for each
        further gradient of which it has a shard.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, or arrays are on a GPU.

    Notes
    -----
    :func:`fastadam.global_norm` adds up squares in chunks of 2048 elements, the sums of chunks in chunks, and so on. A part has
    the sum of each chunk that is complete here, as far up as chunks are complete, and what is left over at their ends: the sums
    of 32 lanes of a chunk that begins here, and the squares or sums themselves of one that begins elsewhere. A process that has
    several shards of a gradient makes several parts. Parts of float64 hold the largest magnitude too if it may be needed.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> whole = np.full(10_000, 3, np.float32)
    >>> parts = [fastadam.norm_part(whole[i : i + 2500], sizes=10_000, begins=i) for i in range(0, 10_000, 2500)]
    >>> fastadam.combined_norm(reversed(parts))
    300.0
    """
    threads = 0 if num_threads is None else thread_count("num_threads", num_threads)
    checked_scale = positive("scale", scale)
    if math.frexp(checked_scale)[0] != 0.5:
        raise ValueError(f"scale is {scale!r}; expected a power of two: 1, or what combined_norm asks for")
    grads = listed(grads, "grads")
    structure = Structure(grads, "grads")
    members = structure.flatten("grads", grads)

    def integers(argument: str, values: Any) -> list[int]:
        numbers = structure.flatten(argument, values)
        return [_integer(structure.name(argument, i), number) for i, number in enumerate(numbers)]

    whole, starts = integers("sizes", sizes), integers("begins", begins)
    if sum(whole) >= _MOST:
        raise ValueError(f"sizes add up to {sum(whole)}; expected fewer than 2**55 elements")
    for i, grad in enumerate(members):
        if is_on_gpu(grad):
            raise ValueError(
                f"{structure.name('grads', i)} is on a GPU; expected arrays in the CPU's memory: of others there are no parts "
                "of a norm; pass cupy.asnumpy(g) for a gradient g"
            )
    first = next((i for i, grad in enumerate(members) if grad is not None), 0)
    try:
        return _native.norm_part(members, starts, whole, checked_scale, threads)
    except _native.Refused as refused:
        reason, (_, at), _, detail = refused.args
        if reason == "complex":
            raise TypeError(
                f"{structure.name('grads', at)} is complex; expected real numbers, which sizes and begins count; pass pairs "
                "of their parts, g.view(g.real.dtype), with sizes and begins that are twice as large"
            ) from None
        if reason == "part":
            begin, size = structure.name("begins", at), structure.name("sizes", at)
            raise ValueError(
                f"{begin} is {starts[at]} and {structure.name('grads', at)} has {detail} elements, but {size} is {whole[at]}; "
                "expected elements of the whole gradient"
            ) from None

        def look_up(role: int, i: int) -> tuple[str, Any]:
            i = first if role == PARAM else i  # the first array determines the type
            return structure.name("grads", i), members[i]

        raise explain(refused, look_up) from refused.__cause__


def combined_norm(parts: Iterable[Any], *, again: Callable[[float], Iterable[Any]] | None = None) -> float:
    r"""The global norm of gradients that are spread over processes, of the parts of all.

    Parameters
    ----------
    parts : iterable of bytes
        What :func:`fastadam.norm_part` returned in each process, in any order: bytes, or arrays of bytes.
    again : function, optional
        For float64, whose squares may overflow or underflow: above :math:`10^{140}`, or if all are below :math:`10^{-140}`. If
        so, this is called with the power of two by which elements have to be multiplied, and has to return the parts that all
        processes made with it as their `scale`. All that combine the same parts call it.

    Returns
    -------
    float
        The bits of :func:`fastadam.global_norm` of the whole gradients.

    Raises
    ------
    TypeError, ValueError
        If there is no part, an element is in no part or in two, the parts are not of one whole, or they are damaged.
    OverflowError
        If squares overflow or underflow and there is no `again`.

    Examples
    --------
    In a program of mpi4py, where each process has a shard of one flat gradient:

    >>> def parts(scale=1.0):  # doctest: +SKIP
    ...     part = fastadam.norm_part(shard, sizes=flat.size, begins=begin, scale=scale)
    ...     return MPI.COMM_WORLD.allgather(part)
    >>> norm = fastadam.combined_norm(parts(), again=parts)  # doctest: +SKIP
    >>> optimizer.step(shard, norm=norm, max_norm=1.0)  # doctest: +SKIP
    """
    norm, scale = _native.combined_norm(_bytes("parts", parts), 1.0)
    if norm is not None:
        return norm
    if again is None:
        raise OverflowError(
            "squares of the gradients, which are float64, overflow or underflow; expected parts of scaled gradients then; pass "
            "again=, a function that makes and gathers parts with the scale it is called with"
        )
    norm, _ = _native.combined_norm(_bytes("again(scale)", again(scale)), scale)
    assert norm is not None
    return norm


def _integer(name: str, value: Any) -> int:
    try:
        number = to_int(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected an integer") from None
    if not 0 <= number < _MOST:
        raise ValueError(f"{name} is {number}; expected 0 to 2**55 - 1")
    return number


def _bytes(argument: str, parts: Any) -> list[memoryview]:
    if isinstance(parts, Mapping | bytes | bytearray | memoryview) or not isinstance(parts, Iterable):
        raise TypeError(f"{argument} is a {type(parts).__name__}; expected a list of the parts of all processes")
    views = []
    for i, part in enumerate(parts):
        try:
            views.append(memoryview(part).cast("B"))
        except TypeError:
            raise TypeError(
                f"{argument}[{i}] is a {type(part).__name__}; expected the bytes that norm_part returned, or an array of them"
            ) from None
    return views
