"""The memory wall: how fast this machine can do a step's loads and stores."""

import functools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from fastadam import _native

Array = NDArray[np.float32]
BYTES_PER_ELEMENT = 28  # Adam reads parameter, gradient and two moments, and writes all but the gradient: 7 float32


def memory_wall(arrays: Sequence[Array], threads: int) -> Callable[[], None]:
    """A function that does the loads and stores of a step of Adam, and next to no arithmetic, on up to `threads` threads.

    `arrays` are parameter, gradient and moments. Their values are exchanged, so normal numbers above 0 stay so, and no special
    values slow a step down. It is the kernel that ``bench/`` measures too (csrc/rules/memory_wall.hpp), cut among threads as a
    step is.
    """
    param, grad, exp_avg, exp_avg_sq = arrays
    return functools.partial(_native.memory_wall, param, grad, exp_avg, exp_avg_sq, threads)
