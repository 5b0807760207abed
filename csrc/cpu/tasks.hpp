// The tensors of one step, each with what its loops need.
#pragma once

#include <vector>

#include "../rule.hpp"
#include "tier.hpp"

namespace fastadam {

// One tensor's part in a step.
struct Task {
  Kernels kernels;
  const Coefficients* rule;
  const Coefficients* average;  // of ParamAverage; none without `ema`
  Buffers buffers;
  float* ema;
  int64_t size;
};

// Does every task on up to `threads` threads, with `transform`, a GradientTransform, applied to each gradient if there is one.
// As for run_on_threads, the calling thread must have the default floating-point environment.
void run_tasks(const Loops& loops, const std::vector<Task>& tasks, const Coefficients* transform, int threads);

}  // namespace fastadam
