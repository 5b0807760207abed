"""Two hundred steps of rules that ``torch.optim`` does not have, compared with optax. Skipped where optax is missing.

The gradients are given. All steps of Lion have one size, so that the parameters are equal as long as both find the same signs.
With decay they differ by the roundings of a parameter of up to 8, 2.4e-7 a step, which may all go one way since the steps are
so much alike; and by that of 1 - lr weight_decay to float32, 1.3e-8 of the parameter a step. Deviations of the moment are
relative to the largest value that its element had; for beta2 = 0.999 our 1 - beta2 is smaller than optax's by a factor of
1 - 1.3e-5.
"""

import numpy as np
import pytest

import fastadam

optax = pytest.importorskip("optax", reason="optax is not installed")
pytest.importorskip("optax.contrib")

F32 = np.float32
STEPS, SIZE = 200, 2000
# Two to three times the largest deviations seen: 3.1e-5, and 1.9e-6 or 1.41e-5.
PARAM_TOLERANCE = {0.0: 0.0, 0.1: 8e-5}
MOMENT_TOLERANCE = {(0.9, 0.99): 5e-6, (0.5, 0.999): 1.3e-5 + 5e-6}


def problem():
    """A parameter, and gradients of sizes from 1e-4 to 1e2 around which each element's scatter."""
    rng = np.random.default_rng(0)
    size = 10.0 ** rng.uniform(-4, 2, SIZE)
    grads = [(size * (rng.standard_normal(SIZE) + 0.5)).astype(F32) for _ in range(STEPS)]
    return rng.standard_normal(SIZE).astype(F32), grads


@pytest.mark.parametrize("weight_decay", PARAM_TOLERANCE)
@pytest.mark.parametrize("betas", MOMENT_TOLERANCE, ids=str)
def test_two_hundred_steps_beside_optax(betas, weight_decay):
    start, grads = problem()
    param = start.copy()
    ours = fastadam.Lion(param, lr=1e-2, betas=betas, weight_decay=weight_decay)
    theirs = optax.lion(1e-2, *betas, weight_decay=weight_decay)
    expected, state, largest = start, theirs.init(start), 0
    for grad in grads:
        ours.step(grad)
        updates, state = theirs.update(grad, state, expected)
        expected = np.asarray(optax.apply_updates(expected, updates))
        moment = np.asarray(state[0].mu)
        largest = np.maximum(largest, np.abs(moment))
    assert np.abs(start - param).max() > 1  # it went somewhere
    np.testing.assert_allclose(param, expected, rtol=0, atol=PARAM_TOLERANCE[weight_decay])
    assert (np.abs(ours.state["exp_avg"] - moment) / largest).max() <= MOMENT_TOLERANCE[betas]


@pytest.mark.parametrize("betas", [(0.9, 0.9999), (0.5, 0.99)], ids=str)
def test_two_hundred_steps_of_adopt(betas):
    """Rates are rounded here, so that they are float32 numbers for both."""
    betas = tuple(float(F32(beta)) for beta in betas)
    start, grads = problem()
    param = start.copy()
    ours = fastadam.ADOPT(param, lr=1e-2, betas=betas)
    theirs = optax.contrib.adopt(1e-2, *betas)
    expected, state = start, theirs.init(start)
    largest = np.abs(start)
    for grad in grads:
        ours.step(grad)
        updates, state = theirs.update(grad, state, expected)
        expected = np.asarray(optax.apply_updates(expected, updates))
        largest = np.maximum(largest, np.abs(expected))
    assert np.abs(start - param).max() > 0.1  # it went somewhere
    assert (np.abs(param - expected) / largest).max() <= 1e-5
    np.testing.assert_allclose(ours.state["exp_avg_sq"], np.asarray(state[0].nu), rtol=1e-5)
