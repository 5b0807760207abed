"""How `fastadam.reference` stores states in 8 bits and an exponent for each block: codes, their range, what is not finite."""

import numpy as np
import pytest
from buffers import assert_same_bits

from fastadam.reference import formats
from fastadam.reference.formats import BLOCK

F32, U32 = np.float32, np.uint32
DITHERS = {"least": 0, "nearest": formats.TO_NEAREST, "most": 0xFFFFFFFF}
signed_or_square = pytest.mark.parametrize("signed", [True, False], ids=["signed", "square"])
dithers = pytest.mark.parametrize("u", DITHERS.values(), ids=DITHERS)
SIZE = 1000


def encoded(x, u, signed):
    return formats.to_log8(x, np.full(x.shape, u, U32), signed)


def decoded(x, u, signed):
    return formats.from_log8(*encoded(x, u, signed), signed)


def values(signed):
    x = np.random.default_rng(0).standard_normal(SIZE).astype(F32)
    return x if signed else x * x


@signed_or_square
@dithers
@pytest.mark.parametrize("exponent", [20, 21, 127, 251, 252])
def test_every_code_is_a_fixed_point(signed, u, exponent):
    """In a block whose exponent stays: the code below NaN, which only rounding up reaches, asks for the next one."""
    top = 127 if signed else 255
    codes = np.array([code for code in range(256) if (code & top) != top - 1 or exponent == 252], np.uint8)
    codes = np.insert(codes, [0, 127, 254], top - 2)  # first in each block, the largest whose exponent is the block's
    exponents = np.full(-(-codes.size // BLOCK), exponent, np.uint8)
    x = formats.from_log8(codes, exponents, signed)
    again, exponents_again = encoded(x, u, signed)
    np.testing.assert_array_equal(exponents_again, exponents)
    np.testing.assert_array_equal(again, np.where(codes == 255, top, codes))  # a NaN is stored without a sign
    assert np.isnan(x).sum() == (2 if signed else 1)


@signed_or_square
def test_codes_are_ordered_and_close(signed):
    """From code to code numbers grow by at most a sixteenth, but near zero, where they grow by the smallest one."""
    count = 127 if signed else 255
    x = formats.from_log8(np.arange(count).astype(np.uint8), np.full(-(-count // BLOCK), 126, np.uint8), signed).astype(float)
    assert x[0] == 0
    assert x[1] == 2.0 ** (-12 if signed else -20)
    assert x[-1] == 0.9375 - (2.0**-8 if signed else 2.0**-16)
    steps = np.diff(x)
    assert (steps[:16] == x[1]).all()
    assert (steps > 0).all()
    assert (steps <= np.maximum(x[:-1], 16 * x[1]) / 16 + x[1]).all()


@signed_or_square
@pytest.mark.parametrize("number", [0.9, 0.7654321, 0.01, 1e-4])
def test_numbers_are_right_on_average(signed, number):
    """Over all dithers, but for the rounding of one sum, whatever share of its block's largest a number is."""
    x = np.ones((2**13, BLOCK), F32)
    u = np.zeros(x.shape, U32)
    x[:, :64] = number
    u[:, :64] = np.arange(2**19, dtype=U32).reshape(-1, 64) << 13
    y = formats.from_log8(*formats.to_log8(x, u, signed), signed)[:, :64]
    assert abs(y.mean(dtype=float) - number) < 2.0**-24
    assert np.unique(y).size == 2


@signed_or_square
@dithers
@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
def test_what_is_not_finite_becomes_nan_and_leaves_its_block_alone(signed, u, bad):
    x = values(signed)
    x[5] = 0
    expected = decoded(x, u, signed)
    x[5] = bad
    actual = decoded(x, u, signed)
    assert np.isnan(actual[5])
    actual[5] = 0
    assert_same_bits(actual, expected)
    assert np.isfinite(expected).all()


@signed_or_square
@dithers
def test_blocks_of_what_is_not_finite(signed, u):
    codes, exponents = encoded(np.full(BLOCK, np.nan, F32), u, signed)
    assert exponents == 20
    assert np.isnan(formats.from_log8(codes, exponents, signed)).all()


@signed_or_square
@dithers
def test_zeros_stay(signed, u):
    zeros = np.zeros(SIZE, F32)
    codes, exponents = encoded(zeros, u, signed)
    assert not codes.any()
    assert (exponents == 20).all()
    assert_same_bits(decoded(zeros, u, signed), zeros)
    assert_same_bits(decoded(-zeros, u, signed), -zeros if signed else zeros)
    beside = values(signed)
    beside[::2] = 0
    assert not decoded(beside, u, signed)[::2].any()


@signed_or_square
@dithers
def test_nothing_becomes_subnormal(signed, u):
    """Blocks of tiny numbers have the least exponent; a square that is not zero stays so."""
    x = np.array([1, 2, 1000, 2**22, 2**23 - 1, 2**23, 2**24], U32).view(F32)
    codes, exponents = encoded(x, u, signed)
    assert exponents == 20
    y = formats.from_log8(codes, exponents, signed)
    assert ((y == 0) | (y >= 2.0**-126)).all()
    assert signed or (y > 0).all()


@signed_or_square
@dithers
def test_the_exponent_leaves_room_to_round_up(signed, u):
    """The largest number of a block stays finite, and is not so small that its codes were coarse."""
    least = np.ldexp(F32(1), np.arange(-126, 126)).astype(F32)
    threshold = F32(1.84375) * least  # from here on the next exponent
    x = np.concatenate([least, np.nextafter(least, F32(0)), threshold, np.nextafter(threshold, F32(0))])
    for largest in x:
        (code,), (exponent,) = encoded(largest[None], u, signed)
        bits = int(largest.view(U32)) + 0x140000
        assert exponent == min(max(bits >> 23, 20), 252)
        if exponent > 20:
            assert (96 if signed else 224) <= code < (127 if signed else 255)


@signed_or_square
@dithers
def test_the_largest_numbers_become_nan(signed, u):
    """From 2^126 on, which is as if they were infinite."""
    largest = np.array([0.92, 1, 2, 3.999], F32) * F32(2.0**126)
    codes, exponents = encoded(largest, u, signed)
    assert exponents == 252
    np.testing.assert_array_equal(np.isnan(formats.from_log8(codes, exponents, signed)), [False, True, True, True])


@signed_or_square
@pytest.mark.parametrize("size", [0, 1, 127, 128, 129, 300])
def test_the_last_block_may_be_short(signed, size):
    """Each element is stored as it would be in the whole."""
    x, u = values(signed), formats.dither(1, 2, SIZE, formats.SQUARE)
    x[size:] = 0
    whole, codes = formats.to_log8(x, u, signed), formats.to_log8(x[:size], u[:size], signed)
    for all_of_it, part, count in zip(whole, codes, (size, -(-size // BLOCK)), strict=True):
        assert part.shape == (count,)
        np.testing.assert_array_equal(part, all_of_it[:count])
    assert_same_bits(formats.from_log8(*codes, signed), formats.from_log8(*whole, signed)[:size])


@signed_or_square
def test_shapes_do_not_matter(signed):
    x, u = values(signed), formats.dither(1, 2, SIZE, formats.SQUARE)
    flat, shaped = formats.to_log8(x, u, signed), formats.to_log8(x.reshape(4, 5, 50), u.reshape(4, 5, 50), signed)
    assert shaped[0].shape == (4, 5, 50)
    for one, other in zip(flat, shaped, strict=True):
        np.testing.assert_array_equal(one, other.reshape(-1))
    assert_same_bits(formats.from_log8(*shaped, signed).reshape(-1), formats.from_log8(*flat, signed))
