// How the arrays of a tensor are stored if not as the numbers that a rule computes with. Types only: kernels.hpp says why.
#pragma once

#include <stdint.h>

namespace fastadam {

// The formats of elements (rules/formats.hpp). Those of 16 and 8 bits are decoded to float32 and encoded again in every step.
enum class Format : int {
  real,               // as the rule's type, decoded and encoded by nothing
  bfloat16,           // to nearest, ties to even: copies, and gradients, which are only read
  bfloat16_away,      // to nearest, ties away from zero: signed states
  bfloat16_dithered,  // parameters, and states that are squares
  float16,            // copies and gradients
  split,              // a bfloat16 and in `more` 16 bits, which are a float32 together
  log8_signed,        // 8 bits, and in `more` an exponent of 8 bits for each block
  log8_square,
};

constexpr int block_size = 128;  // elements that share an exponent, counted within the tensor

// An array of a tensor, from its first element on.
struct Stored {
  void* data;
  void* more;  // null but for formats of two arrays
  Format format;
};

// Bytes of an element in `data`, where an element of the rule's type has `real` bytes.
constexpr int64_t width_of(Format format, int64_t real) {
  if (format == Format::real) return real;
  return format < Format::log8_signed ? 2 : 1;
}

constexpr int64_t blocks(int64_t size) { return (size + block_size - 1) / block_size; }

}  // namespace fastadam
