// How elements are stored when not as binary32: conversions between it and integers of 16 or 8 bits. They are integer
// operations, and operations of binary32 that are exact or rounded once, so every backend gives the same bits.
#pragma once

#include "real.hpp"

namespace fastadam {
namespace {

using Word = unsigned;
using Half = unsigned short;
using Byte = unsigned char;

FASTADAM_INLINE Word bits_of(float x) { return __builtin_bit_cast(Word, x); }
FASTADAM_INLINE float float_of(Word bits) { return __builtin_bit_cast(float, bits); }

constexpr Word infinity_bits = 0x7F800000, magnitude_bits = 0x7FFFFFFF, nan_bits = 0x7FC00000;

// The bits of x, or those of the one NaN that is stored.
FASTADAM_INLINE Word unless_nan(float x, Word bits) { return x != x ? nan_bits : bits; }

// The dither: where a value between two codes goes is decided by 32 bits that depend on nothing but the seed, the tensor's
// number, the step, the element's index and what is stored. Steps advance by multiples of the golden ratio, elements by those
// of 0.7548776662, the inverse of the plastic number, so both are spread evenly.
constexpr Word along_steps = 0x9E3779B9, along_elements = 0xC13FA9A9, along_tensors = 0x632BE5AB;
enum Dithered : Word { dithered_param = 0, dithered_signed = 0x55555555, dithered_square = 0xAAAAAAAA };

// That of the first element, at step t >= 1.
FASTADAM_INLINE Word dither_at(Word seed, Word tensor, long long t) {
  return seed + along_tensors * tensor + along_steps * static_cast<Word>(t);
}

// ---- bfloat16
FASTADAM_INLINE float from_bfloat16(Half h) { return float_of(static_cast<Word>(h) << 16); }

FASTADAM_INLINE Half to_bfloat16(float x, Word added) { return static_cast<Half>(unless_nan(x, bits_of(x) + added) >> 16); }

// What is added to the bits before 16 of them are cut off, so that this rounds: to nearest even, to nearest, or by dither.
FASTADAM_INLINE Word to_even(float x) { return 0x7FFF + ((bits_of(x) >> 16) & 1); }
constexpr Word ties_away = 0x8000;
FASTADAM_INLINE Word dithering(Word u) { return u >> 16; }

// ---- A binary32 as a bfloat16, rounded to nearest, ties away from zero, and the 16 bits that restore it
FASTADAM_INLINE float from_split(Half high, Half low) {
  return float_of((static_cast<Word>(high) << 16) + static_cast<Word>(static_cast<int>(static_cast<short>(low))));
}

FASTADAM_INLINE Half split_high(float x) { return static_cast<Half>((unless_nan(x, bits_of(x)) + ties_away) >> 16); }
FASTADAM_INLINE Half split_low(float x) { return static_cast<Half>(unless_nan(x, bits_of(x))); }

// ---- binary16
FASTADAM_INLINE float from_float16(Half h) {
  const Word magnitude = (static_cast<Word>(h) & 0x7FFF) << 13;
  const Word finite = bits_of(float_of(magnitude) * 0x1p112F);  // exact, also for subnormals
  const Word bits = magnitude >= 0x0F800000 ? magnitude | infinity_bits : finite;
  return float_of(bits | (static_cast<Word>(h) & 0x8000) << 16);
}

FASTADAM_INLINE Half to_float16(float x) {  // to nearest, ties to even
  const Word bits = bits_of(x), magnitude = bits & magnitude_bits;
  const Word tiny = bits_of(float_of(magnitude) + 0.5F) - 0x3F000000;  // below 2^-14: the addition rounds
  const Word normal = (magnitude + 0xFFF + ((magnitude >> 13) & 1) - (112u << 23)) >> 13;
  const Word large = 0x7C00 | static_cast<Word>(magnitude > infinity_bits) << 9;
  // By masks, since compilers make branches of choices between sums.
  const Word is_tiny = 0u - static_cast<Word>(magnitude < 0x38800000);
  const Word is_large = 0u - static_cast<Word>(magnitude >= 0x477FF000);
  const Word finite = (tiny & is_tiny) | (normal & ~is_tiny);
  return static_cast<Half>((large & is_large) | (finite & ~is_large) | (bits >> 16 & 0x8000));
}

// ---- 8 bits, with an exponent that a block shares
// |x| / 2^k + bias, in [bias, 1), as a float with 4 bits of fraction: near zero the codes are evenly spaced, and above by
// proportion. The largest code is NaN. Signed numbers have 8 binades, which leaves a bit for the sign, and squares 16.
template <int binades>
struct Log8 {
  static constexpr bool is_signed = binades == 8;
  static constexpr Word bias_bits = static_cast<Word>(127 - binades) << 23;
  static constexpr Word nan_code = binades * 16 - 1;

  // The exponent of a block, from the largest range() of its elements: that of the next power of two which leaves room to
  // round up. NaN and infinity do not count.
  static FASTADAM_INLINE int range(float x) {
    const auto magnitude = static_cast<int>(bits_of(x) & magnitude_bits);
    return magnitude < static_cast<int>(infinity_bits) ? magnitude : 0;
  }
  static FASTADAM_INLINE int exponent_of(int largest) {
    const int exponent = (largest + 0x140000) >> 23;
    return exponent < 20 ? 20 : exponent > 252 ? 252 : exponent;
  }
  static FASTADAM_INLINE float scale_of(int exponent) { return float_of(static_cast<Word>(exponent + 1) << 23); }
  static FASTADAM_INLINE float inverse_of(int exponent) { return float_of(static_cast<Word>(253 - exponent) << 23); }

  static FASTADAM_INLINE Byte encode(float x, float inverse, Word u) {
    const Word bits = bits_of(x);
    const float bias = float_of(bias_bits), top = float_of(bias_bits + (nan_code << 19));
    const float sum = float_of(bits & magnitude_bits) * inverse + bias;
    const float y = sum < top ? sum : top;  // also for NaN
    const Word code = (bits_of(y) - bias_bits + (u >> 13)) >> 19;
    const Word sign = x != x ? 0 : bits >> 24 & 0x80;  // that of a NaN depends on the machine
    if constexpr (is_signed) return static_cast<Byte>(code | sign);
    const Word least = x != 0.0F ? 1 : 0;  // a square that is not zero does not become zero, which would be divided by
    return static_cast<Byte>(code < least ? least : code);
  }

  static FASTADAM_INLINE float decode(Byte byte, float scale) {
    const Word code = is_signed ? byte & 0x7Fu : byte;
    const float x = (float_of((code << 19) + bias_bits) - float_of(bias_bits)) * scale;
    const Word bits = code == nan_code ? nan_bits : bits_of(x);
    return float_of(is_signed ? bits | (byte & 0x80u) << 24 : bits);
  }
};

}  // namespace
}  // namespace fastadam
