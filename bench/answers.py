"""The expected results. Every contender is checked against them before it is timed.

Arrays repeat one tile, so the answer is computed for the tile alone and every element of the arrays is compared with it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from buffers import ADAM_STATES, TILE, Data, module_of, roles
from numpy.typing import NDArray

import fastadam

LR, BETAS, EPS, WEIGHT_DECAY = 1e-3, (0.9, 0.999), 1e-8, 0.01
ROUNDINGS = 16  # the tolerance, relative to max(1, |value|): with float32, a thousandth of a parameter's step

Bounds = Mapping[str, tuple[NDArray[Any], NDArray[Any]]]  # role -> lowest and highest accepted value of each tile element
Answer = Callable[[Data, int], Bounds]


class WrongAnswerError(AssertionError):
    """A contender computes wrong results."""


def adamw(data: Data, steps: int, *, weight_decay: float = WEIGHT_DECAY, zero_grad: bool = False) -> Bounds:
    """AdamW in float64, within ROUNDINGS of the data: implementations differ in rounding and in the place of epsilon."""
    p, g, m, v = (data[role].astype(np.float64) for role in ("param", "grad", "exp_avg", "exp_avg_sq"))
    (b1, b2), lr = BETAS, LR
    for t in range(1, steps + 1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        p = p - lr * weight_decay * p - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + EPS)
        g = 0 * g if zero_grad else g
    bounds = {}
    for role, x in {"param": p, "exp_avg": m, "exp_avg_sq": v}.items():
        dtype = data[role].dtype
        slack = ROUNDINGS / 2 * np.finfo(dtype).eps * np.maximum(1, np.abs(x))
        bounds[role] = ((x - slack).astype(dtype), (x + slack).astype(dtype))
    return bounds


def thinc_adam(data: Data, steps: int) -> Bounds:
    """The same without weight decay, with the gradient zeroed by every step."""
    return adamw(data, steps, weight_decay=0.0, zero_grad=True)


def reference_adamw(data: Data, steps: int) -> Bounds:
    """The bits of fastadam's specification."""
    return _fastadam(fastadam.reference.adam_step, data, steps)


def cpu_adamw(data: Data, steps: int) -> Bounds:
    """The bits of fastadam's CPU backend."""
    return _fastadam(fastadam.adam_step, data, steps)


def _fastadam(adam_step: Callable[..., None], data: Data, steps: int) -> Bounds:
    tile = {role: data[role].copy() for role in roles()}
    for t in range(1, steps + 1):
        adam_step(*tile.values(), step=t, lr=LR, betas=BETAS, eps=EPS, weight_decay=WEIGHT_DECAY, decoupled_weight_decay=True)
    return bits(tile)


def memory_wall(data: Data, steps: int, *, states: int = ADAM_STATES, divide: bool = False) -> Bounds:
    """The bits of bench/walls.hpp."""
    param, grad, *others = roles(states)
    g, written = data[grad], [data[role] for role in (param, *others)]
    for _ in range(steps):
        first, last = (written[1] if states else g), written[-1]
        mixed = (_bits(first) | _bits(written[0])).view(g.dtype)
        written = [g / np.sqrt(last) if divide else g, *written[2:], mixed] if states else [mixed]
    return bits(dict(zip((param, *others), written, strict=True)))


def same(data: Data, steps: int) -> Bounds:
    """The initial parameters, for a copy."""
    return bits({"param": data["param"]})


def bits(data: Data) -> Bounds:
    """Exactly these values."""
    return {role: (_bits(x), _bits(x)) for role, x in data.items()}


def _bits(x: NDArray[Any]) -> NDArray[Any]:
    return x.view(f"i{x.itemsize}")


def expect(name: str, arrays: Callable[[str], Iterable[NDArray[Any]]], bounds: Bounds) -> None:
    """Raise unless all elements of ``arrays(role)``, one after the other, are within `bounds` for every role."""
    for role, (low, high) in bounds.items():
        offset = 0
        for i, array in enumerate(arrays(role)):
            flat = array.reshape(-1).view(low.dtype)
            bounds_here = (module_of(array).asarray(np.roll(bound, -offset)) for bound in (low, high))
            if not _within(flat, *bounds_here):
                raise WrongAnswerError(f"{name}: tensor {i} has a wrong {role}")
            offset += flat.size


def _within(flat: NDArray[Any], low: NDArray[Any], high: NDArray[Any]) -> bool:
    rows = flat[: flat.size // TILE * TILE].reshape(-1, TILE)
    rest = flat[rows.size :]
    # In blocks that stay in cache: the comparison needs temporaries.
    blocks = (rows[i : i + 256] for i in range(0, len(rows), 256))
    return all(((low <= x) & (x <= high)).all() for x in blocks) and bool(
        ((low[: rest.size] <= rest) & (rest <= high[: rest.size])).all()
    )
