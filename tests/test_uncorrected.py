"""Adam without bias correction, spelt as schedules, is the recurrence that leaves it out, up to roundings of float32."""

import numpy as np
import pytest

import fastadam
from fastadam.viz import uncorrected


def recurrence(grads, lr, betas, eps, decay=0.0):
    """Algorithm 1 of Kingma & Ba (2015) without its two corrections, in float64, with decoupled weight decay."""
    param, m, v = np.ones(grads.shape[1]), 0.0, 0.0
    for t, g in enumerate(grads.astype(np.float64)):
        rate = lr(t) if callable(lr) else lr
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        param = (1 - rate * decay) * param - rate * m / (np.sqrt(v) + eps)
    return param


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.9), (0.5, 0.0)])
@pytest.mark.parametrize("eps", [1e-8, 0.5])
@pytest.mark.parametrize("lr", [0.01, lambda count: 0.05 / (1 + count)], ids=["constant", "schedule"])
@pytest.mark.parametrize("decay", [None, 0.3])
def test_steps_are_those_of_the_recurrence(betas, eps, lr, decay):
    grads = np.random.default_rng(0).standard_normal((30, 50)).astype(np.float32)
    param = np.ones(50, np.float32)
    cls = fastadam.Adam if decay is None else fastadam.AdamW
    optimizer = cls(param, **uncorrected(lr, betas, eps, decay))
    for grad in grads:
        optimizer.step(grad)
    rounded = [float(np.float32(beta)) for beta in betas]
    np.testing.assert_allclose(param, recurrence(grads, lr, rounded, eps, decay or 0.0), rtol=0, atol=2e-6)
    corrected = np.ones(50, np.float32)
    optimizer = cls(corrected, lr=lr, betas=betas, eps=eps, **({} if decay is None else {"weight_decay": decay}))
    for grad in grads:
        optimizer.step(grad)
    assert np.abs(corrected - param).max() > 1e-3


def test_it_takes_one_decay_for_all_schedules():
    """A schedule of the decay is a schedule still."""
    found = uncorrected(0.1, decoupled_weight_decay=lambda count: 0.5 * count)
    assert found["lr"](3) * found["weight_decay"](3) == pytest.approx(0.1 * 1.5)
