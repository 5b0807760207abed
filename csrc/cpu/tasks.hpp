// The tensors of one step, each with the arguments of its kernels.
#pragma once

#include <vector>

#include "../rule.hpp"
#include "kernels.hpp"

namespace fastadam {

// One tensor's part in a step.
struct Task {
  StepKernels kernels;
  const Coefficients* transform;  // a GradientTransform; null: gradients are used as they are
  const Coefficients* rule;
  const Coefficients* average;  // a ParamAverage; null without `ema`
  Buffers buffers;
  void* ema;
  int64_t size;
  const StoredStep* stored;  // if some arrays are in other formats: all of them, in place of `buffers`, without what is above
};

// Runs every task, all on elements of one type, on up to `threads` threads. As for run_on_threads, the calling thread must have
// the default floating-point environment.
void run_tasks(const Kernels& kernels, DType dtype, const std::vector<Task>& tasks, int threads);

}  // namespace fastadam
