"""How elements may be stored when not as float32: conversions by integer operations and float32 operations rounded once.

Arrays have any shape, and their elements are counted in C's order. "Bits" are those of a float32, as uint32, whose sums are
modulo 2**32. A bfloat16 is given as its bits, a uint16.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Float32: TypeAlias = NDArray[np.float32]
Bits: TypeAlias = NDArray[np.uint32]
Halves: TypeAlias = NDArray[np.uint16]
Codes: TypeAlias = NDArray[np.uint8]

# What an array is to a step. Each has its dither.
PARAMETER, SIGNED, SQUARE = 0, 1, 2
SIGNED_STATES = ("exp_avg", "grad_avg", "momentum_buffer")  # all others are squares or magnitudes: they have no sign

BLOCK = 128  # elements of 8 bits that share an exponent
TO_NEAREST = 0x80000000  # in place of a dither: to nearest, ties away from zero
MAGNITUDE, INFINITY, NAN = np.uint32(0x7FFFFFFF), np.uint32(0x7F800000), np.uint32(0x7FC00000)


def dither(seed: int, step: int, count: int, which: int, first: int = 0, tensor: int = 0) -> Bits:
    """What is added below the last bit that is kept, for elements `first` to `first + count - 1` of a tensor.

    It looks random, but depends on nothing else: the seed, the step (from 1), whether the array is PARAMETER, SIGNED or SQUARE,
    the element's index in its whole tensor, and the tensor's number among all of the optimizer.
    """
    base = (seed + 0x632BE5AB * tensor + 0x9E3779B9 * step + 0x55555555 * which) % 2**32
    index = np.arange(first, first + count, dtype=np.uint64).astype(np.uint32)
    return np.uint32(base) + np.uint32(0xC13FA9A9) * index


def from_bfloat16(h: Halves) -> Float32:
    return _real(h.astype(np.uint32) << 16)


def to_bfloat16(x: Float32) -> Halves:
    """To nearest, ties to even: of copies, and of gradients."""
    return _upper_half(x, 0x7FFF + ((_bits(x) >> 16) & 1))


def to_bfloat16_away(x: Float32) -> Halves:
    """To nearest, ties away from zero: of signed states."""
    return _upper_half(x, TO_NEAREST >> 16)


def to_bfloat16_dithered(x: Float32, u: Bits) -> Halves:
    """Away from zero where the dither is large enough, and on average to `x`: of squares and parameters."""
    return _upper_half(x, u >> 16)


def _upper_half(x: Float32, added: Any) -> Halves:
    with np.errstate(over="ignore"):
        return (np.where(np.isnan(x), NAN, _bits(x) + added) >> 16).astype(np.uint16)


def from_float16(h: NDArray[np.float16]) -> Float32:
    return h.astype(np.float32)


def to_float16(x: Float32) -> NDArray[np.float16]:
    """To nearest, ties to even: of copies, and of gradients."""
    with np.errstate(all="ignore"):
        return x.astype(np.float16)


def from_split(high: Halves, low: Halves) -> Float32:
    """The float32 of which `high` is the nearest bfloat16, and `low` the rest."""
    return _real((high.astype(np.uint32) << 16) + low.view(np.int16).astype(np.int32).view(np.uint32))


def to_split(x: Float32) -> tuple[Halves, Halves]:
    """`x` exactly, as a bfloat16 (to nearest, ties away from zero) and the lower half of its bits."""
    low = np.where(np.isnan(x), NAN, _bits(x)).astype(np.uint16)
    return to_bfloat16_away(x), low


def to_log8(x: Float32, u: Bits, signed: bool) -> tuple[Codes, Codes]:
    """A byte for each element, of `x`'s shape, and one for each BLOCK elements: the exponent that they share.

    The codes are near zero in equal steps, and further up in steps that grow with the value, 16 of them to a power of two.
    """
    bias, top = _bias_and_top_code(signed)
    bits = _bits(x)
    exponents = _block_exponents(bits)
    with np.errstate(all="ignore"):
        y = _real(bits & MAGNITUDE) * _power_of_two(126 - _of_elements(exponents, x)) + _real(bias)
    limit = _real(bias + (top << 19))
    y = np.where(y < limit, y, limit)  # NaN too becomes the limit
    magnitude = (_bits(y) - bias + (u >> 13)) >> 19
    # A square that is not zero stays so, since the step divides by its root.
    sign = np.where(np.isnan(x), 0, (bits >> 24) & 0x80)  # that of a NaN depends on the machine
    codes = magnitude | sign if signed else np.maximum(magnitude, (x != 0).astype(np.uint32))
    return codes.astype(np.uint8), exponents


def from_log8(codes: Codes, exponents: Codes, signed: bool) -> Float32:
    bias, top = _bias_and_top_code(signed)
    magnitude = (codes & 0x7F if signed else codes).astype(np.uint32)
    y = _real((magnitude << 19) + bias) - _real(bias)
    bits = np.where(magnitude == top, NAN, _bits(y * _power_of_two(_of_elements(exponents, codes) - 126)))
    return _real(bits | (codes.astype(np.uint32) & 0x80) << 24 if signed else bits)


def _bias_and_top_code(signed: bool) -> tuple[Any, Any]:
    """The bits of what is added to magnitudes, a power of two so far below 1 that codes reach 1; and the code that is NaN."""
    powers_of_two = 8 if signed else 16
    return np.uint32((127 - powers_of_two) << 23), np.uint32(16 * powers_of_two - 1)


def _block_exponents(bits: Bits) -> Codes:
    """Of a power of two above all finite elements, with room to round up.

    At least 20, so that what is decoded is not subnormal, and at most 252, so that the inverse is not.
    """
    magnitudes = bits.reshape(-1) & MAGNITUDE
    blocks = np.zeros((-(-bits.size // BLOCK), BLOCK), np.uint32)
    blocks.reshape(-1)[: bits.size] = np.where(magnitudes < INFINITY, magnitudes, 0)
    exponents: Bits = (blocks.max(axis=1) + np.uint32(0x140000)) >> 23
    return np.clip(exponents, 20, 252).astype(np.uint8)


def _of_elements(exponents: Codes, elements: NDArray[Any]) -> NDArray[np.int32]:
    return np.repeat(exponents.astype(np.int32), BLOCK)[: elements.size].reshape(elements.shape)


def _power_of_two(exponent: NDArray[np.int32]) -> Any:
    return np.ldexp(np.float32(1), exponent)


def _bits(x: Any) -> Bits:
    return np.asarray(x, np.float32).view(np.uint32)


def _real(bits: Any) -> Float32:
    return np.asarray(bits, np.uint32).view(np.float32)
