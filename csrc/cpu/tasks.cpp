#include "tasks.hpp"

#include <algorithm>

#include "parallel.hpp"
#include "prefetch.hpp"

namespace fastadam {
namespace {

constexpr int64_t line = 64;  // bytes in a cache line

// Bytes of each array that stay in the first-level cache from one kernel to the next.
constexpr int64_t tile = 4096;

// Whether all arrays of a step are bfloat16, the parameter without a master.
bool are_halves(const StoredStep& step) {
  const auto is_half = [](const Stored& state) {
    return state.format == Format::bfloat16_away || state.format == Format::bfloat16_dithered;
  };
  return step.param.format == Format::bfloat16_dithered && step.grad.format == Format::bfloat16 &&
         std::all_of(step.states, step.states + step.state_count, is_half);
}

class Step final : public Work {
 public:
  Step(const Kernels& kernels, DType dtype, const std::vector<Task>& tasks)
      : kernels_(kernels), width_(size_of(dtype)), tasks_(tasks) {
    reserve(tasks.size());
    for (const Task& task : tasks) add(task.size);
    ahead_ = prefetch_distance(size());
  }

 private:
  void run_item(size_t item, int64_t begin, int64_t end) const override {
    const Task& task = tasks_[item];
    if (task.stored) return run_stored(task, begin, end);
    // Vectors that straddle cache lines cost up to a sixth. NumPy's large arrays all start 16 bytes after one.
    const auto misaligned = static_cast<int64_t>(reinterpret_cast<uintptr_t>(at(task.buffers.param, begin)) % line);
    if (misaligned != 0 && (end - begin) * width_ >= 256 * line) {
      const int64_t aligned = begin + (line - misaligned) / width_;
      run_span(task, begin, aligned);
      begin = aligned;
    }
    run_span(task, begin, end);
  }

  void run_span(const Task& task, int64_t begin, int64_t end) const {
    const StepKernel kernel = task.transform ? task.kernels.transforming : task.kernels.plain;
    const void* const transform = task.transform ? task.transform->bytes : nullptr;
    if (!task.ema) return kernel(task.rule->bytes, transform, from(task.buffers, begin), end - begin, ahead_);
    for (const int64_t most = tile / width_; begin < end; begin += most) {
      const int64_t size = std::min(end - begin, most);
      const Buffers buffers = from(task.buffers, begin);
      kernel(task.rule->bytes, transform, buffers, size, ahead_);
      kernels_.average(task.average->bytes, at(task.ema, begin), buffers.param, size, ahead_);
    }
  }

  // The thread in whose share a block starts steps it.
  void run_stored(const Task& task, int64_t begin, int64_t end) const {
    StoredStep step = *task.stored;
    step.kernel = task.transform ? task.kernels.transforming : task.kernels.plain;
    if (are_halves(step) && !task.ema) step.halves = task.kernels.halves;
    step.rule = task.rule->bytes;
    step.transform = task.transform ? task.transform->bytes : nullptr;
    if (task.ema) {
      step.average = task.average->bytes;
      step.ema = task.ema;
    }
    const auto start = [&](int64_t element) { return std::min(blocks(element) * block_size, task.size); };
    kernels_.stored_step(step, start(begin), start(end));
  }

  // The address of an element.
  void* at(void* array, int64_t element) const { return static_cast<char*>(array) + element * width_; }
  const void* at(const void* array, int64_t element) const { return static_cast<const char*>(array) + element * width_; }

  Buffers from(const Buffers& buffers, int64_t begin) const {
    Buffers rest{at(buffers.param, begin), at(buffers.grad, begin), {}};
    for (int k = 0; k < max_states && buffers.state[k]; ++k) rest.state[k] = at(buffers.state[k], begin);
    return rest;
  }

  const Kernels& kernels_;
  const int64_t width_;  // bytes of an element
  const std::vector<Task>& tasks_;
  int64_t ahead_;
};

}  // namespace

void run_tasks(const Kernels& kernels, DType dtype, const std::vector<Task>& tasks, int threads) {
  run_on_threads(Step(kernels, dtype, tasks), threads);
}

}  // namespace fastadam
