"""The memory that all contenders of a case share, and its initial values.

So placement, huge pages and cache conflicts are the same for all contenders, and the largest case fits into memory.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # of float32, or of float64
Data = Mapping[str, Array]  # role -> TILE values, which are repeated to fill the array of that role

# Adam's names; states of other rules use them in the same order.
ROLES = ("param", "grad", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
ADAM_STATES = 2
TILE = 1000
_LINE = 64  # bytes in a cache line


def _uniform(seed: int, **bounds: tuple[float, float]) -> dict[str, Array]:
    random = np.random.default_rng(seed)
    return {role: random.uniform(*bounds[role], TILE).astype(np.float32) for role in ROLES}


def roles(states: int = ADAM_STATES) -> tuple[str, ...]:
    """The roles of the arrays of a rule with this many states."""
    return ROLES[: 2 + states]


# The walls exchange values between the arrays. Values from [0.5, 1) always remain positive normal numbers.
TIMED = _uniform(1, **dict.fromkeys(ROLES, (0.5, 1.0)))
ZERO = TIMED | {role: np.zeros(TILE, np.float32) for role in ROLES[1:]}
CHECKED = _uniform(2, param=(-2, 2), grad=(-1, 1), exp_avg=(-1, 1), exp_avg_sq=(0.1, 1), max_exp_avg_sq=(0.1, 1))


def fill(flat: Array, tile: Array) -> None:
    """Fill an array, which may be on a GPU, with repetitions of TILE values from the CPU."""
    tile = module_of(flat).asarray(tile)
    whole = flat.size // TILE * TILE
    flat[:whole].reshape(-1, TILE)[:] = tile
    flat[whole:] = tile[: flat.size - whole]


def module_of(array: Any) -> Any:
    """The library of an array: NumPy or CuPy."""
    return sys.modules[type(array).__module__.partition(".")[0]]


class Buffers:
    """Parameters, gradients and states of a case: views of one allocation, each aligned to a cache line.

    `library` is NumPy, or CuPy for memory of the current GPU.
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, ...]],
        library: Any = np,
        states: int = ADAM_STATES,
        dtype: type[np.floating[Any]] = np.float32,
    ) -> None:
        self.shapes, self.dtype = shapes, np.dtype(dtype)
        line = _LINE // self.dtype.itemsize
        sizes = [math.prod(shape) for shape in shapes]
        if len(sizes) > 1 and any(size % line for size in sizes):
            raise ValueError("tensors of a list must fill whole cache lines, so that none is misaligned")
        total = sum(sizes)
        stride = -(-total // line) * line
        memory = library.empty((2 + states) * stride + line, dtype)
        address = memory.ctypes.data if library is np else memory.data.ptr
        start = -address % _LINE // self.dtype.itemsize
        self._flat = {role: memory[start + k * stride :][:total] for k, role in enumerate(roles(states))}
        ends = np.cumsum(sizes)
        self.tensors: dict[str, list[Array]] = {
            role: [flat[end - size : end].reshape(shape) for shape, size, end in zip(shapes, sizes, ends, strict=True)]
            for role, flat in self._flat.items()
        }

    def typed(self, data: Data) -> Data:
        """The same values, which are all exact in float32, in the type of the arrays."""
        return {role: values.astype(self.dtype) for role, values in data.items()}

    def fill(self, data: Data) -> None:
        """Set every array to its initial values."""
        for role, flat in self._flat.items():
            fill(flat, data[role])
