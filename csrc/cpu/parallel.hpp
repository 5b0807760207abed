// Cuts the work of a step into spans and runs them on OpenMP threads. The arithmetic never sees the threads.
#pragma once

#include <string>
#include <vector>

#include "../rule.hpp"
#include "tier.hpp"

namespace fastadam {

// One tensor's part in a step.
struct Task {
  Buffers buffers;
  int64_t size;
  const Coefficients* rule;
};

// Runs `kernel` over every element of every task, on up to `threads` threads.
void run_tasks(Kernel kernel, const std::vector<Task>& tasks, int threads);

// The process-wide thread count of steps that name none.
void set_default_threads(int threads);

// The number of threads a large step asked for `requested` threads uses (0: the default) when called from this thread:
// fewer if somebody lowered OpenMP's own limit, as threadpoolctl does, and one in a forked child or a serial build.
int effective_threads(int requested);

// The fewest elements worth a thread of their own; a step of less than twice as many is serial.
int64_t grain();
void set_grain(int64_t elements);

// The OpenMP library this process runs, e.g. "OpenMP 201511, libgomp.so.1", or "none".
std::string openmp_runtime();

}  // namespace fastadam
