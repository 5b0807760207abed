"""Test data: inputs with every kind of float, guarded buffers at chosen alignments, and comparison of bits."""

import numpy as np

GUARD = np.float32(-12345.678)
GUARD_SIZE = 32
SPECIAL = np.array(
    [
        0.0,
        -0.0,
        np.nan,
        -np.nan,
        np.inf,
        -np.inf,
        1e38,
        -1e38,
        1e-38,
        -1e-38,
        1e-45,
        -1e-45,
        3.4e38,
        1.17549435e-38,
        1e-40,
        -1e-41,
    ],
    np.float32,
)


def random_values(rng, size, special=0.2):
    """Floats of very different magnitudes, a share of them special values."""
    values = (rng.standard_normal(size) * 10.0 ** rng.integers(-6, 3, size)).astype(np.float32)
    return np.where(rng.random(size) < special, rng.choice(SPECIAL, size), values)


def random_inputs(size, states, seed=0, special=0.2):
    """A parameter, a gradient, and states; the second moments are mostly positive, as in real use."""
    rng = np.random.default_rng(seed)
    inputs = [random_values(rng, size, special) for _ in range(2 + states)]
    for second_moment in inputs[3:]:
        np.copyto(second_moment, np.abs(second_moment), where=rng.random(size) < 0.95)
    return inputs


class Guarded:
    """Copies of arrays, each starting `offset` floats (one more for each next array) after a 64-byte boundary.

    Guard values lie on both sides of each.
    """

    def __init__(self, arrays, offset=0):
        self.arrays = []
        self._guards = []
        for k, array in enumerate(arrays):
            room = np.full(array.size + 2 * GUARD_SIZE + 32, GUARD)
            start = GUARD_SIZE + (-(room.ctypes.data // 4) - GUARD_SIZE) % 16 + (offset + k) % 16
            view = room[start : start + array.size]
            view[...] = array
            self.arrays.append(view)
            self._guards += [room[:start], room[start + array.size :]]

    def assert_guards_untouched(self):
        for guard in self._guards:
            assert (guard == GUARD).all()


def assert_same_bits(actual, expected, context=""):
    """Equal bit for bit, zeros of different sign told apart; any NaN equals any NaN."""
    actual_bits, expected_bits = actual.view(np.uint32), expected.view(np.uint32)
    different = (actual_bits != expected_bits) & ~(np.isnan(actual) & np.isnan(expected))
    if different.any():
        i = tuple(np.argwhere(different)[0])
        message = f"{different.sum()} of {actual.size} differ, first at {i}: {actual[i]!r} is not {expected[i]!r} {context}"
        raise AssertionError(message)
