"""The formats of stored elements, as `fastadam.reference` specifies them: against other libraries, and by themselves."""

import itertools

import numpy as np
import pytest
from buffers import assert_same_bits

from fastadam.reference import Stored, adam_step, formats, stored_step

F32, U16, U32 = np.float32, np.uint16, np.uint32
HALVES = np.arange(2**16).astype(U16)
DITHERS = {"least": 0, "nearest": formats.TO_NEAREST, "most": 0xFFFFFFFF}
SIGNED = pytest.mark.parametrize("signed", [True, False], ids=["signed", "square"])
dithers = pytest.mark.parametrize("u", DITHERS.values(), ids=DITHERS)


def real(bits):
    return np.asarray(bits, U32).view(F32)


def constant(u, x):
    return np.full(np.shape(x), u, U32)


def near_halves(halves):
    """The float32 at each bfloat16, half way to the next, and the neighbours of both."""
    bits = halves.astype(U32)[:, None] << 16
    return real(bits | np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], U32)).reshape(-1)


BFLOAT16 = {
    "even": formats.to_bfloat16,
    "away": formats.to_bfloat16_away,
    **{name: lambda x, u=u: formats.to_bfloat16_dithered(x, constant(u, x)) for name, u in DITHERS.items()},
}


@pytest.mark.parametrize("encode", BFLOAT16.values(), ids=BFLOAT16)
def test_every_bfloat16_is_a_fixed_point(encode):
    x = formats.from_bfloat16(HALVES)
    assert np.isnan(x).sum() == 2 * 127
    np.testing.assert_array_equal(encode(x), np.where(np.isnan(x), 0x7FC0, HALVES))


def test_every_float16_is_a_fixed_point():
    halves = HALVES.view(np.float16)
    assert_same_bits(formats.to_float16(formats.from_float16(halves)), halves)


@SIGNED
@dithers
@pytest.mark.parametrize("exponent", [20, 21, 127, 251, 252])
def test_every_code_of_8_bits_is_a_fixed_point(signed, u, exponent):
    """In a block whose exponent stays: the code below NaN, which only rounding up reaches, asks for the next one."""
    top = 127 if signed else 255
    codes = np.array([code for code in range(256) if (code & top) != top - 1 or exponent == 252], np.uint8)
    codes = np.insert(codes, [0, 127, 254], top - 2)  # first in each block, the largest whose exponent is the block's
    exponents = np.full(-(-codes.size // formats.BLOCK), exponent, np.uint8)
    x = formats.from_log8(codes, exponents, signed)
    again, exponents_again = formats.to_log8(x, constant(u, x), signed)
    np.testing.assert_array_equal(exponents_again, exponents)
    np.testing.assert_array_equal(again, codes)
    assert np.isnan(x).sum() == (2 if signed else 1)


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
