// The norm of many arrays together, by sums in float64 in the same order for any number of threads (rules/norm.hpp).
#pragma once

#include <cstdint>
#include <vector>

#include "../dtype.hpp"

namespace fastadam {

struct Array {
  const void* begin;
  int64_t size;
};

// By the kernels of the active instruction set on up to `threads` threads, in the default floating-point environment.
double global_norm(const std::vector<Array>& arrays, DType dtype, int threads);

}  // namespace fastadam
