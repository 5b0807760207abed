#include "tensors.hpp"

#include <algorithm>
#include <functional>
#include <limits>

#include "float_env.hpp"
#include "isa.hpp"
#include "parallel.hpp"

namespace fastadam {

void Tensors::add(const Buffers& buffers, int64_t size, int states) {
  const size_t tensor = tensors_.size();
  tensors_.push_back({buffers, size});
  if (size == 0) return;  // an empty array has no memory to share
  owned_.push_back({buffers.param, buffers.param + size, {param_role, tensor}});
  for (int k = 0; k < states; ++k) {
    owned_.push_back({buffers.state[k], buffers.state[k] + size, {state_role + k, tensor}});
  }
}

void Tensors::seal() {
  const std::less<const float*> before;
  std::sort(owned_.begin(), owned_.end(), [&](const Interval& a, const Interval& b) { return before(a.begin, b.begin); });
  for (size_t i = 1; i < owned_.size(); ++i) {
    if (before(owned_[i].begin, owned_[i - 1].end)) throw Refusal("overlap", owned_[i - 1].place, owned_[i].place);
  }
}

void Tensors::step(const Rule& rule, const std::vector<const float*>& grads, int64_t* steps, int threads) const {
  const DefaultFloatEnv float_env;  // for the coefficients, and for what this thread runs of the kernel
  const std::less<const float*> before;
  std::vector<Coefficients> coefficients;
  coefficients.reserve(tensors_.size());  // the tasks point into it
  std::vector<Task> tasks;
  tasks.reserve(tensors_.size());
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const auto& [buffers, size] = tensors_[i];
    const float *begin = grads[i], *end = begin + size;
    const auto next = std::upper_bound(owned_.begin(), owned_.end(), begin,
                                       [&](const float* p, const Interval& owned) { return before(p, owned.end); });
    if (size > 0 && next != owned_.end() && before(next->begin, end)) {
      throw Refusal("overlap", {grad_role, i}, next->place);
    }
    if (steps[i] < 0 || steps[i] == std::numeric_limits<int64_t>::max()) throw Refusal("step", {param_role, i});
    // Neighbours nearly always share their step count; the others get coefficients of their own.
    if (i == 0 || steps[i] != steps[i - 1]) coefficients.push_back(rule.at_step(steps[i] + 1));
    tasks.push_back({buffers, size, &coefficients.back()});
    tasks.back().buffers.grad = grads[i];
  }
  run_tasks(active_kernel(rule.info->id, rule.flags), tasks, threads);
  for (size_t i = 0; i < tensors_.size(); ++i) ++steps[i];
}

}  // namespace fastadam
