#include "tensors.hpp"

#include <limits>

#include "float_env.hpp"
#include "isa.hpp"
#include "parallel.hpp"

namespace fastadam {

void Tensors::add(const Buffers& buffers, int64_t size, int states) {
  const size_t tensor = tensors_.size();
  tensors_.push_back({buffers, size});
  owned_.add(buffers.param, size, {param_role, tensor});
  for (int k = 0; k < states; ++k) owned_.add(buffers.state[k], size, {state_role + k, tensor});
}

void Tensors::step(const Rule& rule, const std::vector<const float*>& grads, int64_t* steps, int threads) const {
  const DefaultFloatEnv float_env;  // for what this thread runs of the kernel
  std::vector<Coefficients> coefficients;
  coefficients.reserve(tensors_.size());  // the tasks point into it
  std::vector<Task> tasks;
  tasks.reserve(tensors_.size());
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const auto& [buffers, size] = tensors_[i];
    owned_.expect_apart(grads[i], size, {grad_role, i});
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
