"""Arrays of bfloat16, optimizers of them, and what those have."""

import numpy as np
from refusals import F32

import fastadam
from fastadam.reference import formats

STATE_DTYPES = ["float32", "bfloat16", "8bit"]
SIZE = 300  # three blocks, the last of them short
CHOICES = [
    {"state_dtype": state_dtype, "master": master} for state_dtype in STATE_DTYPES for master in ("split", "float32", None)
]


def halves(seed=0, size=SIZE):
    return formats.to_bfloat16(np.random.default_rng(seed).standard_normal(size).astype(F32))


def wrapped(bits):
    return fastadam.bfloat16(bits)


def trained(steps=3, bits=None, **options):
    bits = halves() if bits is None else bits
    optimizer = fastadam.AdamW(wrapped(bits), lr=0.1, **options)
    for step in range(steps):
        optimizer.step(wrapped(halves(1 + step)))
    return bits, optimizer


def contents(bits, optimizer):
    return [bits, *(np.array(array) for array in optimizer.state.values())]


def assert_equal(actual, expected):
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)
