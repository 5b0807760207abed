"""The cases of ``python -m fastadam bench``: AdamW on one flat buffer, or on many small tensors."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastadam
from fastadam import reference

Array = NDArray[np.float32]
LR, BETAS, EPS, WEIGHT_DECAY = 1e-3, (0.9, 0.999), 1e-8, 1e-2
STEPS_CHECKED = 2
TILE = np.random.default_rng(1).uniform(0.5, 1.0, 1000).astype(np.float32)  # each array starts as repetitions of it


class Case:
    """Tensors of one size with their gradients and states, each aligned to a cache line if its size is whole lines."""

    def __init__(self, size: int, tensors: int = 1) -> None:
        self.name = f"{size:,}" if tensors == 1 else f"{tensors:,} x {size:,}"
        self.elements, self.tensors = tensors * size, tensors
        start = [np.resize(TILE, size)] * tensors
        (flat, params), (flat_grad, grads) = fastadam.flatten(start), fastadam.flatten(start)
        passed: Any
        self._grads: Any
        passed, self._grads = (flat, flat_grad) if tensors == 1 else (params, grads)  # as a user would pass them
        self._optimizer = fastadam.AdamW(passed, lr=LR, betas=BETAS, eps=EPS, weight_decay=WEIGHT_DECAY)
        states: Any = [self._optimizer.state] if tensors == 1 else self._optimizer.state
        each = zip([flat] if tensors == 1 else params, [flat_grad] if tensors == 1 else grads, states, strict=True)
        # Parameter, gradient and moments of each tensor, which fastadam, NumPy and the memory wall share.
        self.arrays: list[list[Array]] = [[p, g, state["exp_avg"], state["exp_avg_sq"]] for p, g, state in each]

    def step(self, threads: int) -> None:
        """One step of fastadam."""
        self._optimizer.step(self._grads, num_threads=threads)

    def step_of_numpy(self) -> None:
        """AdamW as written without a library: in-place operators where they are natural, temporary arrays elsewhere."""
        t = self._optimizer.step_count + 1  # does not advance here; the time does not depend on it
        (b1, b2), root = BETAS, math.sqrt(1 - BETAS[1] ** t)
        step_size, eps = LR * root / (1 - b1**t), EPS * root
        for p, g, m, v in self.arrays:
            m *= b1
            m += (1 - b1) * g
            v *= b2
            v += (1 - b2) * g * g
            p *= 1 - LR * WEIGHT_DECAY
            p -= step_size * m / (np.sqrt(v) + eps)

    def check(self, threads: int) -> None:
        """Take the first steps, and exit if they differ from the reference in a bit."""
        expected = [TILE.copy(), TILE, np.zeros_like(TILE), np.zeros_like(TILE)]
        for t in range(1, STEPS_CHECKED + 1):
            self.step(threads)
            reference.adam_step(
                *expected, step=t, lr=LR, betas=BETAS, eps=EPS, weight_decay=WEIGHT_DECAY, decoupled_weight_decay=True
            )
        for found in self.arrays:
            for array, tile in zip(found, expected, strict=True):
                if array.tobytes() != np.resize(tile, array.size).tobytes():
                    raise SystemExit(f"AdamW of {self.name} elements differs from fastadam.reference; please report it")
