// Steps of arrays that are stored in other formats, by tiles: decoded into the first-level cache, stepped by the kernel of the
// rule, and encoded. A part of kernels.cpp, compiled for each instruction set.
#pragma once

#include "../rules/average.hpp"
#include "../rules/formats.hpp"
#include "kernels.hpp"

#if defined(__GNUC__)
#define FASTADAM_NOINLINE __attribute__((noinline))
#else
#define FASTADAM_NOINLINE __declspec(noinline)
#endif

namespace fastadam {
namespace {

constexpr int tile_size = block_size;

// Multiples of what the dither advances by from one element to the next: cheaper to load than to multiply.
struct Ramp {
  Word of[tile_size];
  constexpr Ramp() : of() {
    for (int i = 0; i < tile_size; ++i) of[i] = along_elements * static_cast<Word>(i);
  }
};
alignas(64) constexpr Ramp ramp;

// Each of these is a loop of its own, which compilers vectorize, called for a tile.
template <class From, class To, class Convert>
FASTADAM_INLINE void convert(const From* from, To* to, int size, Convert one) {
  FASTADAM_INDEPENDENT
  for (int i = 0; i < size; ++i) to[i] = one(from[i], i);
}

FASTADAM_NOINLINE void decode_bfloat16(const Half* from, float* to, int size) {
  convert(from, to, size, [](Half h, int) { return from_bfloat16(h); });
}
FASTADAM_NOINLINE void decode_float16(const Half* from, float* to, int size) {
  convert(from, to, size, [](Half h, int) { return from_float16(h); });
}
FASTADAM_NOINLINE void decode_split(const Half* high, const Half* low, float* to, int size) {
  convert(high, to, size, [=](Half h, int i) { return from_split(h, low[i]); });
}
template <int binades>
FASTADAM_NOINLINE void decode_log8(const Byte* from, int exponent, float* to, int size) {
  const float scale = Log8<binades>::scale_of(exponent);
  convert(from, to, size, [=](Byte code, int) { return Log8<binades>::decode(code, scale); });
}

FASTADAM_NOINLINE void encode_bfloat16(const float* from, Half* to, int size) {
  convert(from, to, size, [](float x, int) { return to_bfloat16(x, to_even(x)); });
}
FASTADAM_NOINLINE void encode_bfloat16_away(const float* from, Half* to, int size) {
  convert(from, to, size, [](float x, int) { return to_bfloat16(x, ties_away); });
}
FASTADAM_NOINLINE void encode_bfloat16_dithered(const float* from, Half* to, int size, Word u) {
  convert(from, to, size, [=](float x, int i) { return to_bfloat16(x, dithering(u + ramp.of[i])); });
}
FASTADAM_NOINLINE void encode_float16(const float* from, Half* to, int size) {
  convert(from, to, size, [](float x, int) { return to_float16(x); });
}
FASTADAM_NOINLINE void encode_split(const float* from, Half* high, Half* low, int size) {
  convert(from, high, size, [](float x, int) { return split_high(x); });
  convert(from, low, size, [](float x, int) { return split_low(x); });
}
template <int binades>
FASTADAM_NOINLINE Byte encode_log8(const float* from, Byte* to, int size, Word u) {
  int largest = 0;
  for (int i = 0; i < size; ++i) {
    const int range = Log8<binades>::range(from[i]);
    largest = range > largest ? range : largest;
  }
  const int exponent = Log8<binades>::exponent_of(largest);
  const float inverse = Log8<binades>::inverse_of(exponent);
  convert(from, to, size, [=](float x, int i) { return Log8<binades>::encode(x, inverse, u + ramp.of[i]); });
  return static_cast<Byte>(exponent);
}

// The elements of a tile of `stored` from its element `begin` on: where they are, or decoded in `scratch`.
float* opened(const Stored& stored, int64_t begin, int size, float* scratch) {
  const Half* const halves = static_cast<const Half*>(stored.data) + begin;
  const Byte* const bytes = static_cast<const Byte*>(stored.data) + begin;
  const auto exponent = [&] { return static_cast<const Byte*>(stored.more)[begin / block_size]; };
  switch (stored.format) {
    case Format::real:
      return static_cast<float*>(stored.data) + begin;
    case Format::bfloat16:
    case Format::bfloat16_away:
    case Format::bfloat16_dithered:
      decode_bfloat16(halves, scratch, size);
      break;
    case Format::float16:
      decode_float16(halves, scratch, size);
      break;
    case Format::split:
      decode_split(halves, static_cast<const Half*>(stored.more) + begin, scratch, size);
      break;
    case Format::log8_signed:
      decode_log8<8>(bytes, exponent(), scratch, size);
      break;
    case Format::log8_square:
      decode_log8<16>(bytes, exponent(), scratch, size);
      break;
  }
  return scratch;
}

// Encodes a tile. `u` is the dither of the element `begin`, without what is stored.
void close(const float* tile, const Stored& stored, int64_t begin, int size, Word u, Dithered kind) {
  Half* const halves = static_cast<Half*>(stored.data) + begin;
  Byte* const bytes = static_cast<Byte*>(stored.data) + begin;
  switch (stored.format) {
    case Format::real:
      break;
    case Format::bfloat16:
      encode_bfloat16(tile, halves, size);
      break;
    case Format::bfloat16_away:
      encode_bfloat16_away(tile, halves, size);
      break;
    case Format::bfloat16_dithered:
      encode_bfloat16_dithered(tile, halves, size, u + kind);
      break;
    case Format::float16:
      encode_float16(tile, halves, size);
      break;
    case Format::split:
      encode_split(tile, halves, static_cast<Half*>(stored.more) + begin, size);
      break;
    case Format::log8_signed:
      static_cast<Byte*>(stored.more)[begin / block_size] = encode_log8<8>(tile, bytes, size, u + dithered_signed);
      break;
    case Format::log8_square:
      static_cast<Byte*>(stored.more)[begin / block_size] = encode_log8<16>(tile, bytes, size, u + dithered_square);
      break;
  }
}

// Starts to load what one of the next tiles will need.
FASTADAM_INLINE void prefetch_tile(const Stored& stored, int64_t begin) {
  constexpr int64_t ahead = 1024;  // bytes
  const int64_t width = width_of(stored.format, sizeof(float));
  const char* const tile = static_cast<const char*>(stored.data) + begin * width + ahead;
  for (int64_t byte = 0; byte < tile_size * width; byte += 64) FASTADAM_PREFETCH(tile + byte);
  if (stored.format != Format::split) return;
  const char* const more = static_cast<const char*>(stored.more) + begin * width + ahead;
  for (int64_t byte = 0; byte < tile_size * width; byte += 64) FASTADAM_PREFETCH(more + byte);
}

// The arrays of a tile start at different sets of the cache.
struct Scratch {
  static constexpr int stride = tile_size + 16;
  alignas(64) float of[max_states + 2][stride];
};

void stored_step(const StoredStep& step, int64_t begin, int64_t end) {
  if (step.halves) {
    const auto from = [begin](const Stored& stored) { return static_cast<Half*>(stored.data) + begin; };
    Buffers buffers{from(step.param), from(step.grad), {}};
    for (int k = 0; k < step.state_count; ++k) buffers.state[k] = from(step.states[k]);
    const Word u = step.dither + along_elements * static_cast<Word>(begin);
    return step.halves(step.rule, step.transform, buffers, end - begin, u);
  }
  Scratch scratch;
  for (int64_t first = begin; first < end; first += tile_size) {
    const int size = static_cast<int>(end - first < tile_size ? end - first : tile_size);
    prefetch_tile(step.param, first);
    prefetch_tile(step.grad, first);
    float* const param = opened(step.param, first, size, scratch.of[0]);
    Buffers buffers{param, opened(step.grad, first, size, scratch.of[1]), {}};
    for (int k = 0; k < step.state_count; ++k) {
      prefetch_tile(step.states[k], first);
      buffers.state[k] = opened(step.states[k], first, size, scratch.of[2 + k]);
    }
    step.kernel(step.rule, step.transform, buffers, size, 0);
    if (step.average) average_kernel(step.average, static_cast<float*>(step.ema) + first, param, size, 0);
    const Word u = step.dither + along_elements * static_cast<Word>(first);
    close(param, step.param, first, size, u, dithered_param);
    if (step.copy.data) close(param, step.copy, first, size, u, dithered_param);
    for (int k = 0; k < step.state_count; ++k) {
      close(static_cast<const float*>(buffers.state[k]), step.states[k], first, size, u, dithered_square);
    }
  }
}

// The elements [begin, begin + size) as numbers; a multiple of the size of a tile before.
void decode(const Stored& stored, int64_t begin, int64_t size, void* numbers) {
  auto* const to = static_cast<float*>(numbers);
  for (int64_t i = 0; i < size; i += tile_size) {
    const int count = static_cast<int>(size - i < tile_size ? size - i : tile_size);
    const float* const tile = opened(stored, begin + i, count, to + i);
    if (tile != to + i) convert(tile, to + i, count, [](float x, int) { return x; });
  }
}

}  // namespace
}  // namespace fastadam
