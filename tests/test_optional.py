"""What asks for a library that is not installed says how to install it."""

import sys

import numpy as np
import pytest

import fastadam

NEEDS = {
    "torch": lambda optimizer: fastadam.convert.to_torch(optimizer),
    "jax": lambda optimizer: fastadam.convert.to_optax(optimizer),
}


@pytest.mark.parametrize("library", NEEDS)
def test_a_missing_library_is_named(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=f"{library} is missing; install it with: pip install {library}"):
        NEEDS[library](fastadam.Adam(np.ones(2, np.float32)))
