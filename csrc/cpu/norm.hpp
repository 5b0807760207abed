// The sum of squares of many arrays, in float64 and in the same order for any number of threads (rules/norm.hpp).
#pragma once

#include <vector>

#include "kernels.hpp"

namespace fastadam {

struct Array {
  const float* begin;
  int64_t size;
};

// Uses up to `threads` threads. As for run_on_threads, the calling thread must have the default floating-point environment.
double sum_of_squares(const Kernels& kernels, const std::vector<Array>& arrays, int threads);

// Its square root, in the default floating-point environment, by the kernels of the active instruction set.
double global_norm(const std::vector<Array>& arrays, int threads);

}  // namespace fastadam
