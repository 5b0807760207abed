"""Test data: inputs with every kind of float, guarded buffers at chosen alignments, and comparison of bits."""

import numpy as np

GUARD = -12345.678
GUARD_SIZE = 32
_BOTH = [0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf]
SPECIAL = np.array(
    [*_BOTH, 1e38, -1e38, 1e-38, -1e-38, 1e-45, -1e-45, 3.4e38, 1.17549435e-38, 1e-40, -1e-41],
    np.float32,
)
SPECIAL_FLOAT64 = np.array(
    [*_BOTH, 1e308, -1e308, 1e-308, -1e-308, 5e-324, -5e-324, 1.7e308, 2.2250738585072014e-308, 1e-310, -1e-311, 1e160, -1e-170]
)


def random_values(rng, size, special=0.2, dtype="float32"):
    """Floats of very different magnitudes, a share of them special values."""
    values = (rng.standard_normal(size) * 10.0 ** rng.integers(-6, 3, size)).astype(dtype)
    return np.where(rng.random(size) < special, rng.choice(SPECIAL if dtype == "float32" else SPECIAL_FLOAT64, size), values)


def random_inputs(size, states, seed=0, special=0.2, dtype="float32"):
    """A parameter, a gradient, and states; the second moments are mostly positive, as in real use."""
    rng = np.random.default_rng(seed)
    inputs = [random_values(rng, size, special, dtype) for _ in range(2 + states)]
    for second_moment in inputs[3:]:
        np.copyto(second_moment, np.abs(second_moment), where=rng.random(size) < 0.95)
    return inputs


class Guarded:
    """Copies of arrays, each starting `offset` elements (one more for each next array) after a boundary of 16 of them.

    Guard values lie on both sides of each.
    """

    def __init__(self, arrays, offset=0):
        self.arrays = []
        self._guards = []
        for k, array in enumerate(arrays):
            room = np.full(array.size + 2 * GUARD_SIZE + 32, GUARD, array.dtype)
            start = GUARD_SIZE + (-(room.ctypes.data // array.itemsize) - GUARD_SIZE) % 16 + (offset + k) % 16
            view = room[start : start + array.size]
            view[...] = array
            self.arrays.append(view)
            self._guards += [room[:start], room[start + array.size :]]

    def assert_guards_untouched(self):
        for guard in self._guards:
            assert (guard == guard.dtype.type(GUARD)).all()


def assert_same_bits(actual, expected, context=""):
    """Equal bit for bit, zeros of different sign told apart; any NaN equals any NaN."""
    assert actual.dtype == expected.dtype, context
    actual_bits, expected_bits = (array.view(f"u{array.itemsize}") for array in (actual, expected))
    different = (actual_bits != expected_bits) & ~(np.isnan(actual) & np.isnan(expected))
    if different.any():
        i = tuple(np.argwhere(different)[0])
        message = f"{different.sum()} of {actual.size} differ, first at {i}: {actual[i]!r} is not {expected[i]!r} {context}"
        raise AssertionError(message)
