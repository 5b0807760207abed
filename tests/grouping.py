"""Parameters in three groups whose options differ in what a step computes, for tests of lists on a GPU."""

import numpy as np

# Maximize and decay choose other kernels, and an average is one more state.
OPTIONS = [{}, {"lr": 0.5, "maximize": False, "weight_decay": 0.0}, {"weight_decay": 0.25, "ema_decay": 0.9}]


def random_arrays(rng, sizes):
    """`sizes` are those of each group."""
    return [rng.standard_normal(size).astype(np.float32) for group in sizes for size in group]


def grouped(params, sizes):
    """Parameters as an optimizer takes them."""
    starts = np.cumsum([0, *map(len, sizes)])
    return [{"params": params[a:b], **some} for a, b, some in zip(starts, starts[1:], OPTIONS, strict=False)]


def both(variant, sizes, to_gpu, **options):
    """An optimizer here with its parameters, and one there with the same ones."""
    params = random_arrays(np.random.default_rng(3), sizes)
    arrays = [to_gpu(param, offset=k % 4) for k, param in enumerate(params)]
    return variant.make(grouped(params, sizes)), params, variant.make(grouped(arrays, sizes), **options), arrays
