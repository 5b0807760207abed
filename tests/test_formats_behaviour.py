"""Moments and parameters that are stored in few bits follow those of float32 over thousands of steps.

Each bound is one that a simpler way to store them breaks, and each test shows that it does: rounding to nearest, bytes in equal
steps up to the largest of a block, or float16.
"""

from dataclasses import dataclass

import numpy as np
import pytest

import fastadam
from fastadam.reference import Stored, adam_step, formats, stored_step

F32 = np.float32
BETA2 = float(F32(0.999))  # of all runs


class Nearest(Stored):
    """Without dither."""

    def encode(self, x, u):
        super().encode(x, np.full_like(u, formats.TO_NEAREST))


class Linear(Stored):
    """Bytes times the largest magnitude of their block, as 8-bit integers are often used."""

    def decode(self):
        codes, scales = self.arrays
        return (codes * scales).reshape(-1)

    def _encoded(self, x, u):
        blocks = x.reshape(-1, formats.BLOCK)
        scales = np.abs(blocks).max(axis=1, keepdims=True) / F32(127 if self.which == formats.SIGNED else 255)
        scales[scales == 0] = 1
        return np.rint(blocks / scales).astype(np.int16), scales


class Float16(Stored):
    def decode(self):
        return formats.from_float16(self.arrays[0])

    def _encoded(self, x, u):
        return (formats.to_float16(x),)


NAIVE = {
    "nearest bfloat16": (Nearest, "bfloat16"),
    "nearest 8bit": (Nearest, "8bit"),
    "linear 8bit": (Linear, "8bit"),
    "float16": (Float16, "float16"),
}


@dataclass
class Result:
    param: np.ndarray
    exp_avg_sq: np.ndarray
    largest_step: float  # of any element, in units of lr


class Ours:
    """The optimizer."""

    def __init__(self, size, param, state, start, **options):
        array = np.full(size, start, F32)
        self.array = fastadam.bfloat16(formats.to_bfloat16(array)) if param == "bfloat16" else array
        self.state_dtype = state
        self.optimizer = fastadam.Adam(self.array, betas=(0.9, BETA2), state_dtype=state, master=None, **options)

    def step(self, grad):
        self.optimizer.step(grad)

    def param(self):
        return self.array.copy() if isinstance(self.array, np.ndarray) else self.array.float32()

    def exp_avg_sq(self):
        arrays = [array for name, array in self.optimizer.state.items() if name.startswith("exp_avg_sq")]
        return Stored(self.state_dtype, tuple(arrays), formats.SQUARE).decode()


class ByReference:
    """The reference, whose ways to store may be those of NAIVE."""

    def __init__(self, size, param, state, start, **options):
        def stored(name, value, which):
            cls, format = NAIVE.get(name, (Stored, name))
            return cls.of(format, np.full(size, value, F32), which)

        self.stored = [stored(param, start, formats.PARAMETER)]
        self.stored += [stored(state, 0, which) for which in (formats.SIGNED, formats.SQUARE)]
        self.options, self.steps = {"betas": (0.9, BETA2), **options}, 0

    def step(self, grad):
        self.steps += 1
        param, *moments = self.stored
        stored_step(adam_step, param, Stored("float32", (grad,)), *moments, step=self.steps, **self.options)

    def param(self):
        return self.stored[0].decode()

    def exp_avg_sq(self):
        return self.stored[2].decode()


def run(gradients, param="float32", state="float32", start=0.0, lr=1e-3, eps=1e-8):
    """Steps of Adam with each row of `gradients`, and where they arrive. `param` and `state` are formats, or keys of NAIVE."""
    cls = ByReference if {param, state} & NAIVE.keys() else Ours
    adam = cls(gradients.shape[1], param, state, start, lr=lr, eps=eps)
    largest_step, before = 0.0, adam.param()
    for grad in gradients:
        adam.step(grad)
        now = adam.param()
        largest_step = np.maximum(largest_step, np.abs(now - before).max() / lr)  # a NaN stays
        before = now
    return Result(now.astype(float), adam.exp_avg_sq().astype(float), largest_step)


def normal(steps, size, seed=0):
    return np.random.default_rng(seed).standard_normal((steps, size), F32)


@pytest.mark.parametrize(("state", "tolerance"), [("bfloat16", 0.01), ("8bit", 0.05)])
def test_second_moments_decay_without_gradients(state, tolerance):
    """Nearest rounding leaves them where they are, since a thousandth is less than half of the step to the next number."""
    gradients = np.concatenate([normal(100, 2048), np.zeros((1000, 2048), F32)])
    exact = run(gradients).exp_avg_sq

    def ratio(state):
        return np.mean(run(gradients, state=state).exp_avg_sq / exact)

    assert abs(ratio(state) - 1) <= tolerance
    assert ratio(f"nearest {state}") > 2.3


@pytest.mark.parametrize(("state", "tolerance", "most_spread"), [("bfloat16", 0.005, 0.03), ("8bit", 0.02, 0.07)])
def test_second_moments_of_noise_are_its_variance(state, tolerance, most_spread):
    """Of steady noise. In float32 they spread by 0.016."""
    gradients = normal(4000, 512)

    def root(state):
        return np.sqrt(run(gradients, state=state).exp_avg_sq / (1 - BETA2**4000))

    roots = root(state)
    assert abs(roots.mean() - 1) <= tolerance
    assert roots.std() < most_spread
    assert abs(root(f"nearest {state}").mean() - 1) > 0.2


@pytest.mark.parametrize("state", ["bfloat16", "8bit"])
def test_second_moments_follow_gradients_that_shrink(state):
    """To a hundredth. After 8,000 steps a little is left of the larger ones: roots are 1.76 times the new size in float32."""
    gradients = normal(9000, 256)
    gradients[1000:] /= 100

    def root(state):
        return 100 * np.sqrt(run(gradients, state=state).exp_avg_sq).mean()

    assert 1.4 < root(state) <= 1.9
    assert root(f"nearest {state}") > 40


@pytest.mark.parametrize(("state", "naive"), [("bfloat16", "float16"), ("8bit", "linear 8bit")])
def test_sparse_gradients_of_all_sizes_take_no_step_too_large(state, naive):
    """In one block: a second moment that became zero would be divided by. With exact moments no step is larger than 7.27 lr."""
    rng = np.random.default_rng(0)
    sizes, shares = 10.0 ** rng.uniform(-6, 0, 1024), 10.0 ** rng.uniform(-2.5, 0, 1024)
    gradients = (normal(2000, 1024) * sizes * (rng.random((2000, 1024)) < shares)).astype(F32)
    assert 1 < run(gradients, state=state).largest_step <= 7.3
    assert run(gradients, state=naive).largest_step > 1e4


@pytest.mark.parametrize(("state", "naive"), [("bfloat16", "float16"), ("8bit", "nearest 8bit")])
def test_tiny_gradients_move_parameters_as_in_float32(state, naive):
    """Gradients of 1e-12, whose squares are 1e-24."""
    sizes = 10.0 ** np.random.default_rng(0).uniform(-13, -12, 1024)
    gradients = ((normal(1000, 1024) + 1) * sizes).astype(F32)

    def distance(state):
        return np.sqrt(np.mean(run(gradients, state=state, eps=1e-30).param ** 2))

    in_float32 = distance("float32")
    assert abs(distance(state) / in_float32 - 1) < 0.01
    assert abs(distance(naive) / in_float32 - 1) > 0.2


def test_a_bfloat16_parameter_takes_steps_below_its_spacing():
    """On average: a thousand of 1e-4, where the next number is 4e-3 away."""
    gradients = np.ones((1000, 4096), F32)
    moved = run(gradients, param="bfloat16", start=1.0, lr=1e-4).param - 1
    assert abs(moved.mean() + 0.1) <= 0.0005
    assert moved.std() <= 0.004
    assert not (run(gradients, param="nearest bfloat16", start=1.0, lr=1e-4).param - 1).any()
