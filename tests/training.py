"""A short training on random gradients, importable by child processes."""

import numpy as np

import fastadam
from fastadam import _native

# Large enough to be cut into several threads.
LARGE = 4 * _native.grain() + 1


def trained(steps=3, size=LARGE, seed=0, threads=2):
    """Parameters after a few steps."""
    rng = np.random.default_rng(seed)
    param = rng.standard_normal(size).astype(np.float32)
    optimizer = fastadam.Adam(param, lr=0.1)
    for _ in range(steps):
        optimizer.step(rng.standard_normal(size).astype(np.float32), num_threads=threads)
    return param


def reference_trained(steps=3, size=LARGE, seed=0):
    """The same by the reference."""
    rng = np.random.default_rng(seed)
    param = rng.standard_normal(size).astype(np.float32)
    m, v = np.zeros_like(param), np.zeros_like(param)
    for t in range(1, steps + 1):
        fastadam.reference.adam_step(param, rng.standard_normal(size).astype(np.float32), m, v, step=t, lr=0.1)
    return param


def send_trained(connection):
    connection.send(trained())
