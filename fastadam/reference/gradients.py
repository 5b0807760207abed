"""What happens to gradients before a rule sees them: their global norm, scaling and clipping."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastadam.reference.scalars import Array

LANES, CHUNK = 32, 2048
LEAST = 2.0**-900  # a sum of squares below this may lack some that underflowed


def _chunk_sums(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of each chunk of CHUNK terms: lane j adds up terms j, j + LANES, ..., and the lanes are added in halves."""
    chunks = -(-terms.size // CHUNK)
    rows = np.zeros((chunks, CHUNK // LANES, LANES))  # added zeros change no sum of squares
    rows.reshape(-1)[: terms.size] = terms
    lanes = np.zeros((chunks, LANES))
    for k in range(CHUNK // LANES):
        lanes = lanes + rows[:, k]
    while lanes.shape[1] > 1:
        half = lanes.shape[1] // 2
        lanes = lanes[:, :half] + lanes[:, half:]
    return lanes[:, 0]


def sum_of_squares(grads: Sequence[Array]) -> float:
    """In float64; the chunks' sums are added up in chunks until one is left. An array's elements come as they lie in memory."""
    with np.errstate(all="ignore"):
        sums = np.concatenate(
            [_chunk_sums(np.square(grad.ravel(order="K"), dtype=np.float64)) for grad in grads] or [np.zeros(0)]
        )
        while sums.size > 1:
            sums = _chunk_sums(sums)
    return float(sums[0]) if sums.size else 0.0


def global_norm(grads: Sequence[Array]) -> float:
    """The Euclidean norm of all elements of `grads` together; see :func:`fastadam.global_norm`."""
    with np.errstate(all="ignore"):
        total = sum_of_squares(grads)
        if all(grad.dtype == np.float32 for grad in grads) or LEAST <= total < math.inf or math.isnan(total):
            return math.sqrt(total)
        # Squares of float64 overflow or underflow: all are scaled by a power of two, so that the largest is in [1/2, 1).
        largest = max(float(np.max(np.abs(grad), initial=0.0)) for grad in grads)
        if largest == 0.0 or math.isinf(largest):
            return largest
        scale = 2.0 ** min(-math.frexp(largest)[1], 1022)
        return float(np.float64(math.sqrt(sum_of_squares([grad * scale for grad in grads]))) / scale)


def clipping_scale(norm: float, grad_scale: float = 1.0, max_norm: float = math.inf) -> float:
    """The factor for gradients of this norm, which includes `grad_scale`: `grad_scale`, or less if the norm is too large."""
    with np.errstate(all="ignore"):
        if norm < max_norm or max_norm == math.inf:
            return float(grad_scale)
        return float(grad_scale * (np.float64(max_norm) / np.float64(norm)))


def transform_gradient(grad: Array, scale: float, clip_value: float = math.inf) -> Any:
    """`scale` times the gradient, clipped to a magnitude of `clip_value`; NaN stays NaN."""
    with np.errstate(all="ignore"):
        real = grad.dtype.type
        scaled, limit = real(scale) * grad, real(clip_value)
        return np.where(limit < scaled, limit, np.where(scaled < -limit, -limit, scaled))
