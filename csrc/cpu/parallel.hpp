// Cuts the work of a step into spans and runs them on OpenMP threads. The arithmetic never sees the threads.
#pragma once

#include <vector>

#include "../rule.hpp"
#include "tier.hpp"

namespace fastadam {

// One tensor's part in a step.
struct Task {
  Kernel kernel;
  const Coefficients* rule;
  Buffers buffers;
  int64_t size;
};

// Runs the kernel of every task over its elements, on up to `threads` threads (0: the default). The calling thread must have
// the default floating-point environment; other threads are given it.
void run_tasks(const std::vector<Task>& tasks, int threads);

}  // namespace fastadam
