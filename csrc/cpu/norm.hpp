// The sum of the squares of many arrays' elements, in binary64 and in one order, whatever the threads (rules/norm.hpp).
#pragma once

#include <vector>

#include "kernels.hpp"

namespace fastadam {

struct Array {
  const float* begin;
  int64_t size;
};

// On up to `threads` threads. As for run_on_threads, the calling thread must have the default floating-point environment.
double sum_of_squares(const Kernels& kernels, const std::vector<Array>& arrays, int threads);

// The square root of it, in the default floating-point environment, by the kernels of the active instruction set.
double global_norm(const std::vector<Array>& arrays, int threads);

}  // namespace fastadam
