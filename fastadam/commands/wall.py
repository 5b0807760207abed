"""The memory wall: how fast NumPy can do a step's loads and stores on this machine."""

import concurrent.futures
import functools
import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
BYTES_PER_ELEMENT = 28  # Adam reads parameter, gradient and two moments, and writes all but the gradient: 7 float32


def memory_wall(arrays: Sequence[Array], pool: concurrent.futures.Executor, threads: int) -> Callable[[], object]:
    """A function that does the loads and stores of a step of Adam, each of `threads` threads on its own slice.

    `arrays` are parameter, gradient and moments. Three passes of NumPy, in place, make the 4 loads and 3 stores of each
    element: a sum reads two arrays and writes one of them, and two negations read and write one array each. If the gradient
    and the second moment are positive, the latter stays positive, and no special values slow a step down.

    On arrays larger than the caches its speed agrees with that of the memory wall in bench/walls.hpp, a kernel that makes one
    pass, like the optimizer's. On the machine of bench/results/, with 3e7 elements, interleaved: on one thread
    this was at 97 to 100 % of that kernel's speed in eight runs; on two threads, while other programs used part of the two
    CPUs, at 96 to 117 %, and at 98 to 102 % by the fastest samples of each. On smaller arrays it means nothing.
    """
    size = arrays[0].size
    ends = [size * k // threads // 16 * 16 for k in range(threads)] + [size]  # 16 floats are a cache line
    parts = [[array[start:end] for array in arrays] for start, end in itertools.pairwise(ends)]
    if threads == 1:
        return functools.partial(_passes, parts[0])
    return lambda: list(pool.map(_passes, parts))  # NumPy releases the GIL


def _passes(part: Sequence[Array]) -> None:
    param, grad, exp_avg, exp_avg_sq = part
    np.add(exp_avg_sq, grad, out=exp_avg_sq)
    np.negative(param, out=param)
    np.negative(exp_avg, out=exp_avg)
