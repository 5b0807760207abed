#include "tasks.hpp"

#include <algorithm>

#include "parallel.hpp"
#include "prefetch.hpp"

namespace fastadam {
namespace {

constexpr int64_t line = 64 / sizeof(float);  // elements in a cache line

// Elements that stay in the first-level cache from one kernel to the next.
constexpr int64_t tile = 1024;

Buffers from(const Buffers& buffers, int64_t begin) {
  Buffers rest = buffers;
  rest.param += begin;
  rest.grad += begin;
  for (float*& state : rest.state) {
    if (state) state += begin;
  }
  return rest;
}

class Step final : public Work {
 public:
  Step(const Kernels& kernels, const std::vector<Task>& tasks) : kernels_(kernels), tasks_(tasks) {
    reserve(tasks.size());
    for (const Task& task : tasks) add(task.size);
    ahead_ = prefetch_distance(size());
  }

 private:
  void run_item(size_t item, int64_t begin, int64_t end) const override {
    const Task& task = tasks_[item];
    // Vectors that straddle cache lines cost up to a sixth. NumPy's large arrays all start 16 bytes after one.
    const auto misaligned =
        static_cast<int64_t>(reinterpret_cast<uintptr_t>(task.buffers.param + begin) / sizeof(float)) % line;
    if (misaligned != 0 && end - begin >= 256 * line) {
      const int64_t aligned = begin + line - misaligned;
      run_span(task, begin, aligned);
      begin = aligned;
    }
    run_span(task, begin, end);
  }

  void run_span(const Task& task, int64_t begin, int64_t end) const {
    const StepKernel kernel = task.transform ? task.kernels.transforming : task.kernels.plain;
    const void* const transform = task.transform ? task.transform->bytes : nullptr;
    if (!task.ema) return kernel(task.rule->bytes, transform, from(task.buffers, begin), end - begin, ahead_);
    for (; begin < end; begin += tile) {
      const int64_t size = std::min(end - begin, tile);
      const Buffers buffers = from(task.buffers, begin);
      kernel(task.rule->bytes, transform, buffers, size, ahead_);
      kernels_.average(task.average->bytes, task.ema + begin, buffers.param, size, ahead_);
    }
  }

  const Kernels& kernels_;
  const std::vector<Task>& tasks_;
  int64_t ahead_;
};

}  // namespace

void run_tasks(const Kernels& kernels, const std::vector<Task>& tasks, int threads) {
  run_on_threads(Step(kernels, tasks), threads);
}

}  // namespace fastadam
