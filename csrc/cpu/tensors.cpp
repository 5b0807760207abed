#include "tensors.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "float_env.hpp"
#include "isa.hpp"
#include "parallel.hpp"

namespace fastadam {

void Tensors::add(float* param, const std::vector<float*>& states, int64_t size) {
  const size_t tensor = tensors_.size();
  Tensor added{param, {}, static_cast<int>(states.size()), size};
  if (states.size() > std::size(added.states)) throw std::invalid_argument("a tensor has more states than any rule");
  std::copy(states.begin(), states.end(), added.states);
  tensors_.push_back(added);
  owned_.add(param, size, {param_role, tensor});
  for (int k = 0; k < added.state_count; ++k) owned_.add(states[k], size, {state_role + k, tensor});
}

void Tensors::seal() {
  if (std::accumulate(group_sizes_.begin(), group_sizes_.end(), size_t{0}) != tensors_.size()) {
    throw std::invalid_argument("the sizes of the groups do not add up to the number of tensors");
  }
  owned_.seal();
}

std::optional<double> Tensors::step(const std::vector<const Rule*>& rules,
                                    const std::vector<std::optional<const float*>>& grads, int64_t* steps, int64_t*,
                                    const GradientOptions&, int threads) const {
  const DefaultFloatEnv float_env;  // for what this thread runs of the kernels
  std::vector<Coefficients> coefficients;
  coefficients.reserve(tensors_.size());  // the tasks point into it
  std::vector<Task> tasks;
  tasks.reserve(tensors_.size());
  size_t i = 0;
  for (size_t group = 0; group < group_sizes_.size(); ++group) {
    const Rule& rule = *rules[group];
    const Kernel kernel = active_kernel(rule.info->id, rule.flags);
    const int state_count = rule.state_count() + (rule.ema_decay ? 1 : 0);
    int64_t counted = -1;  // the steps taken before the one that the last coefficients are for
    for (const size_t end = i + group_sizes_[group]; i < end; ++i) {
      const Tensor& tensor = tensors_[i];
      if (tensor.state_count != state_count) throw std::invalid_argument("a tensor has not the states of its rule");
      if (!grads[i]) continue;
      owned_.expect_apart(*grads[i], tensor.size, {grad_role, i});
      if (steps[i] < 0 || steps[i] == std::numeric_limits<int64_t>::max()) throw Refusal("step", {param_role, i});
      // Neighbours nearly always share their step count; the others get coefficients of their own.
      if (steps[i] != counted) {
        counted = steps[i];
        coefficients.push_back(rule.at_step(counted + 1));
      }
      Task task{kernel, &coefficients.back(), {tensor.param, *grads[i], {}}, tensor.size};
      std::copy_n(tensor.states, rule.state_count(), task.buffers.state);
      tasks.push_back(task);
    }
  }
  run_tasks(tasks, threads);
  for (i = 0; i < tensors_.size(); ++i) {
    if (grads[i]) ++steps[i];
  }
  return std::nullopt;
}

}  // namespace fastadam
