"""An optimizer of two groups in the middle of its training, importable by child processes."""

import numpy as np

F32 = np.float32
SIZES = [3, 0, 70, 1]
STEPS = 4


def problem(variant, **options):
    """An optimizer of two groups, its parameters, and gradients for all steps, some of them missing."""
    rng = np.random.default_rng(0)
    params = [rng.standard_normal(size).astype(F32) for size in SIZES]
    optimizer = make(variant, params, **options)
    grads = [[rng.standard_normal(size).astype(F32) for size in SIZES] for _ in range(2 * STEPS)]
    for t in range(2 * STEPS):
        grads[t][t % 4] = None
    return optimizer, params, grads


def make(variant, params, **options):
    return variant.make([{"params": params[:2], "lr": 0.25}, {"params": params[2:], "ema_decay": 0.9}], **options)


def trained(variant, **options):
    optimizer, params, grads = problem(variant, **options)
    for some in grads[:STEPS]:
        optimizer.step(some)
    return optimizer, params, grads[STEPS:]
