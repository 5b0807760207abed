"""How `fastadam.reference` stores elements in 16 bits and as split masters, against other libraries; the dither; whole steps.

Conversions are tried where they may go wrong: at every number of 16 bits, half way to the next one, and beside both.
"""

import itertools

import numpy as np
import pytest
from buffers import assert_same_bits
from variants import VARIANTS

from fastadam.reference import Stored, adam_step, formats, sgd_step, stored_step

F32, U32 = np.float32, np.uint32
HALVES = np.arange(2**16).astype(np.uint16)
DITHERS = {"least": 0, "nearest": formats.TO_NEAREST, "most": 0xFFFFFFFF}
BFLOAT16 = {
    "even": formats.to_bfloat16,
    "away": formats.to_bfloat16_away,
    **{name: lambda x, u=u: formats.to_bfloat16_dithered(x, np.full(x.shape, u, U32)) for name, u in DITHERS.items()},
}
ANY_BITS = np.random.default_rng(0).integers(0, 2**32, 100_000, U32).view(F32)


def around_bfloat16():
    offsets = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], U32)
    return ((HALVES.astype(U32)[:, None] << 16) + offsets).view(F32).reshape(-1)


def around_float16():
    """Beyond the largest too, where half way to 2^16 becomes infinity."""
    below = np.unique(np.append(np.abs(formats.from_float16(HALVES[:0x7C00].view(np.float16))), F32(2**16)))
    x = np.concatenate([below, (below[1:] + below[:-1]) / 2])
    x = np.concatenate([x, np.nextafter(x, F32(0)), np.nextafter(x, F32(np.inf)), [np.inf, np.nan]])
    return np.concatenate([x, -x]).astype(F32)


def by_torch(x, dtype):
    torch = pytest.importorskip("torch")
    return torch.from_numpy(x).to(getattr(torch, dtype)).view(torch.int16).numpy().view(np.uint16)


def by_ml_dtypes(x, dtype):
    with np.errstate(invalid="ignore"):
        return x.astype(getattr(pytest.importorskip("ml_dtypes"), dtype)).view(np.uint16)


@pytest.mark.parametrize("peer", [by_torch, by_ml_dtypes])
@pytest.mark.parametrize("x", [around_bfloat16(), ANY_BITS], ids=["around", "any"])
def test_bfloat16_to_nearest_even_is_that_of_others(x, peer):
    expected = np.where(np.isnan(x), 0x7FC0, peer(x, "bfloat16"))
    np.testing.assert_array_equal(formats.to_bfloat16(x), expected)


@pytest.mark.parametrize("x", [around_float16(), ANY_BITS], ids=["around", "any"])
def test_float16_is_that_of_others(x):
    assert_same_bits(formats.to_float16(x), by_torch(x, "float16").view(np.float16))


def test_ties_go_to_even_or_away():
    """And to nothing else: what is not half way between two goes to the same."""
    x = around_bfloat16()
    bits = x.view(U32)
    tie = (bits & 0xFFFF == 0x8000) & ~np.isnan(x)
    assert tie.sum() == 2**16 - 2 * 128  # not those from infinity on
    even, away = formats.to_bfloat16(x), formats.to_bfloat16_away(x)
    np.testing.assert_array_equal(even[~tie], away[~tie])
    np.testing.assert_array_equal(away[tie], (bits[tie] >> 16) + 1)
    assert (even[tie] % 2 == 0).all()
    np.testing.assert_array_equal(BFLOAT16["nearest"](x), away)


@pytest.mark.parametrize("encode", BFLOAT16.values(), ids=BFLOAT16)
def test_every_bfloat16_is_a_fixed_point(encode):
    x = formats.from_bfloat16(HALVES)
    assert np.isnan(x).sum() == 2 * 127
    np.testing.assert_array_equal(encode(x), np.where(np.isnan(x), 0x7FC0, HALVES))


def test_every_float16_is_a_fixed_point():
    halves = HALVES.view(np.float16)
    assert_same_bits(formats.to_float16(formats.from_float16(halves)), halves)


@pytest.mark.parametrize("x", [1.0, 1.00001, -3.3, 1.2e-41, 3e38, -65535.99])
def test_dithered_numbers_are_right_on_average(x):
    """Over all dithers, exactly."""
    u = (HALVES.astype(U32) << 16) | 0x1234
    decoded = formats.from_bfloat16(formats.to_bfloat16_dithered(np.full(2**16, x, F32), u))
    assert decoded.astype(float).sum() == 2**16 * float(F32(x))


@pytest.mark.parametrize("x", [around_bfloat16(), around_float16(), ANY_BITS], ids=["bfloat16", "float16", "any"])
def test_a_split_master_is_exact(x):
    """Its high half is the nearest bfloat16; NaN has one pattern."""
    high, low = formats.to_split(x)
    expected = np.where(np.isnan(x), 0x7FC00000, x.view(U32))
    np.testing.assert_array_equal(formats.from_split(high, low).view(U32), expected)
    np.testing.assert_array_equal(high, formats.to_bfloat16_away(x))


def test_dither_is_of_the_element_in_its_tensor():
    whole = formats.dither(7, 3, 1000, formats.SQUARE, tensor=2)
    np.testing.assert_array_equal(formats.dither(7, 3, 300, formats.SQUARE, first=700, tensor=2), whole[700:])
    others = [
        formats.dither(seed, step, 1000, which, tensor=tensor)
        for seed, step, which, tensor in itertools.product((7, 8), (3, 4), range(3), (2, 3))
    ]
    assert all((one != other).all() for one, other in itertools.combinations(others, 2))
    assert formats.dither(2**32 - 1, 1, 1, formats.PARAMETER)[0] == 0x9E3779B8
    assert formats.dither(0, 1, 1, formats.SIGNED, first=2**32 + 1, tensor=1)[0] == 0x17F85E62


@pytest.mark.parametrize("which", [formats.PARAMETER, formats.SIGNED, formats.SQUARE])
@pytest.mark.parametrize("tensor", [0, 1, 1000])
def test_dither_is_spread_evenly(which, tensor):
    """Along elements, along steps, and over both: far more evenly than chance has it, which would put 256 +- 16 in each bin."""
    along_elements = formats.dither(0, 5, 2**16, which, tensor=tensor)
    along_steps = np.array([formats.dither(0, step, 1, which, first=9, tensor=tensor)[0] for step in range(1, 2**14)])
    both = np.concatenate([formats.dither(0, step, 256, which, tensor=tensor) for step in range(1, 257)])
    for u in (along_elements, along_steps, both):
        counts = np.bincount(u >> 24, minlength=256) / (u.size / 256)
        assert abs(np.mean(u / 2**32) - 0.5) < 1e-3
        assert np.abs(counts - 1).max() < 0.1


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_states_that_may_be_negative_are_those_that_are_signed(variant):
    grads = np.random.default_rng(0).standard_normal((3, 100)).astype(F32)
    states = {name: np.zeros(100, F32) for name, _ in variant.rule.states}
    for step, grad in enumerate(grads, 1):
        variant.reference(np.ones(100, F32), grad, *states.values(), step=step)
    assert [name for name, x in states.items() if (x < 0).any()] == [x for x in states if x in formats.SIGNED_STATES]


def gradients(format):
    """Of four steps, for 300 elements."""
    g = np.random.default_rng(0).standard_normal((4, 300)).astype(F32)
    encode = {"float32": np.copy, "bfloat16": formats.to_bfloat16, "float16": formats.to_float16}[format]
    return [Stored(format, (encode(row),)) for row in g]


def test_a_step_decodes_steps_and_encodes():
    param = Stored.of("bfloat16", np.ones(300, F32))
    moments = [Stored.of("8bit", np.zeros(300, F32), which) for which in (formats.SIGNED, formats.SQUARE)]
    for step, grad in enumerate(gradients("float16"), 1):
        p, m, v = param.decode(), *(moment.decode() for moment in moments)
        adam_step(p, formats.from_float16(grad.arrays[0]), m, v, step=step, lr=0.1)
        stored_step(adam_step, param, grad, *moments, step=step, seed=5, tensor=1, lr=0.1)
        u = [formats.dither(5, step, 300, which, tensor=1) for which in range(3)]
        np.testing.assert_array_equal(param.arrays[0], formats.to_bfloat16_dithered(p, u[0]))
        for moment, x, dither, signed in zip(moments, (m, v), u[1:], (True, False), strict=True):
            for actual, expected in zip(moment.arrays, formats.to_log8(x, dither, signed), strict=True):
                np.testing.assert_array_equal(actual, expected)
    assert np.mean(param.decode() != 1) > 0.9


@pytest.mark.parametrize("state", ["float32", "bfloat16", "8bit"])
@pytest.mark.parametrize("master", ["float32", "bfloat16", "split"])
@pytest.mark.parametrize("gradient", ["float32", "bfloat16", "float16"])
def test_a_piece_that_begins_at_a_block_is_stepped_as_in_the_whole(master, gradient, state):
    def stepped(piece):
        x = np.ones(300, F32)[piece]
        stored = [Stored.of(master, x), Stored.of(state, 0 * x, formats.SIGNED), Stored.of(state, 0 * x, formats.SQUARE)]
        for step, grad in enumerate(gradients(gradient), 1):
            grad = Stored(gradient, (grad.arrays[0][piece],))
            stored_step(adam_step, stored[0], grad, *stored[1:], step=step, seed=5, first=piece.start)
        return [array.decode() for array in stored]

    for whole, piece in zip(stepped(slice(0, 300)), stepped(slice(128, 300)), strict=True):
        assert_same_bits(whole[128:], piece)


def test_a_split_master_is_stepped_as_float32_is():
    """Whatever the seed."""
    x = [Stored.of(format, np.ones(300, F32)) for format in ("float32", "split")]
    for step, grad in enumerate(gradients("bfloat16"), 1):
        for seed, param in enumerate(x):
            stored_step(sgd_step, param, grad, step=step, seed=seed)
    assert_same_bits(x[1].decode(), x[0].decode())
