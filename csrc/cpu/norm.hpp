// The norm of many arrays together, by sums in float64 in the same order for any number of threads (rules/norm.hpp).
#pragma once

#include <cstdint>
#include <vector>

#include "../dtype.hpp"
#include "../stored.hpp"

namespace fastadam {

struct Array {
  const void* begin;
  int64_t size;
  Format format = Format::real;  // or bfloat16 or float16, of an array for float32
};

// By the kernels of the active instruction set on up to `threads` threads, in the default floating-point environment.
double global_norm(const std::vector<Array>& arrays, DType dtype, int threads);

// What the norm is made of, for norm_parts.cpp. The calling thread must have the default floating-point environment.

// How many chunks so many elements fill.
int64_t chunks(int64_t size);

// The sums of squares of the chunks of all arrays, those of one array after those of another, of elements times `scale`.
std::vector<double> sums_of_chunks(const std::vector<Array>& arrays, DType dtype, double scale, int threads);

// Whether a sum of squares is right as it is. Those of float32 neither overflow nor underflow in float64, those of float64 may.
bool is_in_range(double sum);

// The largest magnitude of all elements; infinite if one is, whatever the others.
double largest_of(const std::vector<Array>& arrays, DType dtype);

// If the sum is not in range, elements are multiplied by this power of two, which is exact, so that the largest is in [1/2, 1).
// It is 1 if the largest is zero or infinite, and the norm too.
double scale_for(double largest);

// Of another format.
double decoded_element(const Array& array, int64_t i);

inline double element(const Array& array, int64_t i, DType dtype) {
  if (array.format != Format::real) return decoded_element(array, i);
  if (dtype == DType::float32) return static_cast<const float*>(array.begin)[i];
  return static_cast<const double*>(array.begin)[i];
}

}  // namespace fastadam
