#include "tensors.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "../rules/gradient.hpp"
#include "../rules/norm.hpp"
#include "float_env.hpp"
#include "isa.hpp"
#include "norm.hpp"
#include "tasks.hpp"

namespace fastadam {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

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
                                    const std::vector<std::optional<const float*>>& grads, int64_t* steps, int64_t* skips,
                                    const GradientOptions& options, int threads) const {
  const DefaultFloatEnv float_env;  // for what this thread runs of the loops
  const Loops& loops = active_loops();
  std::vector<Coefficients> coefficients;
  coefficients.reserve(2 * tensors_.size());  // the tasks point into it
  std::vector<Task> tasks;
  tasks.reserve(tensors_.size());
  size_t i = 0;
  for (size_t group = 0; group < group_sizes_.size(); ++group) {
    const Rule& rule = *rules[group];
    const int state_count = rule.state_count();
    Task task{loops.kernels(rule.info->id, rule.flags), nullptr, nullptr, {}, nullptr, 0};
    int64_t counted = -1;  // the steps taken before the one that the task's coefficients are for
    for (const size_t end = i + group_sizes_[group]; i < end; ++i) {
      const Tensor& tensor = tensors_[i];
      if (tensor.state_count != state_count + rule.ema_decay.has_value()) {
        throw std::invalid_argument("a tensor has not the states of its rule");
      }
      if (!grads[i]) continue;
      owned_.expect_apart(*grads[i], tensor.size, {grad_role, i});
      if (steps[i] < 0 || steps[i] == std::numeric_limits<int64_t>::max()) throw Refusal("step", {param_role, i});
      // Neighbours nearly always share their step count; the others get coefficients of their own.
      if (steps[i] != counted) {
        counted = steps[i];
        task.rule = &coefficients.emplace_back(rule.at_step(counted + 1));
        if (rule.ema_decay) task.average = &coefficients.emplace_back(rule.average_at_step(counted + 1));
      }
      task.buffers = {tensor.param, *grads[i], {}};
      std::copy_n(tensor.states, state_count, task.buffers.state);
      task.ema = rule.ema_decay ? tensor.states[state_count] : nullptr;
      task.size = tensor.size;
      tasks.push_back(task);
    }
  }

  std::optional<double> norm;
  GradientTransform transform{static_cast<float>(options.grad_scale), static_cast<float>(options.clip_value)};
  if (options.needs_norm()) {
    std::vector<Array> arrays;
    arrays.reserve(tasks.size());
    for (const Task& task : tasks) arrays.push_back({task.buffers.grad, task.size});
    const double sum = sum_of_squares(loops, arrays, threads);
    const NormVerdict verdict =
        judge_norm(sum, options.grad_scale, options.max_norm.value_or(infinity), options.skip_nonfinite);
    norm = verdict.norm;
    if (!verdict.applies) {
      ++*skips;
      return norm;
    }
    transform.scale = verdict.scale;
  }
  const bool changes = transform.scale != 1 || transform.limit < infinity;
  const Coefficients transform_bytes = Coefficients::of(transform);
  run_tasks(loops, tasks, changes ? &transform_bytes : nullptr, threads);
  for (i = 0; i < tensors_.size(); ++i) {
    if (grads[i]) ++steps[i];
  }
  return norm;
}

}  // namespace fastadam
