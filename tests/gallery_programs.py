"""The programs of examples/ for tests: modules by name, and gradients of what they train against finite differences."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def gallery_module(name):
    """A module of examples/, such as ``lab.grid``. Skips the test, or the file it is in, where what it needs is missing."""
    if not EXAMPLES.is_dir():
        pytest.skip("needs the source tree", allow_module_level=True)
    for package in ("matplotlib", "sklearn", "tqdm"):
        pytest.importorskip(package)
    if str(EXAMPLES) not in sys.path:
        sys.path.append(str(EXAMPLES))
    return importlib.import_module(name)


def in_float64(model):
    """The model, with its parameters moved away from zeros and ties, in float64."""
    noise = np.random.default_rng(1).standard_normal(model.params.size)
    model.bind(model.params + 0.05 * noise, np.full(model.grads.size, np.nan))
    return model


def assert_gradient(loss, params, gradient, seed=0):
    """Compare a gradient with central differences along random directions, and along each axis if there are few."""
    rng = np.random.default_rng(seed)
    directions = np.eye(params.size) if params.size <= 60 else rng.standard_normal((8, params.size))
    width = 1e-6
    start = params.copy()
    for direction in directions:
        ends = []
        for sign in (1, -1):
            params[...] = start + sign * width * direction.reshape(params.shape)
            ends.append(float(loss()))
        params[...] = start
        expected = (ends[0] - ends[1]) / (2 * width)
        found = float((gradient * direction.reshape(params.shape)).sum())
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-7)
