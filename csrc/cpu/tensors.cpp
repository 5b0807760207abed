#include "tensors.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "../scalars.hpp"
#include "float_env.hpp"
#include "isa.hpp"
#include "norm.hpp"
#include "tasks.hpp"

namespace fastadam {
namespace {

// The index of the first element that is not finite; `size` if there is none.
template <class Number>
int64_t first_nonfinite(const void* array, int64_t size) {
  const Number* const begin = static_cast<const Number*>(array);
  return std::find_if(begin, begin + size, [](Number x) { return !std::isfinite(x); }) - begin;
}

std::vector<Array> grads_of(const std::vector<Task>& tasks) {
  std::vector<Array> arrays;
  arrays.reserve(tasks.size());
  for (const Task& task : tasks) arrays.push_back({task.buffers.grad, task.size});
  return arrays;
}

}  // namespace

void Tensors::add(void* param, const std::vector<void*>& states, int64_t size, int64_t steps) {
  const size_t tensor = tensors_.size();
  Tensor added{param, {}, static_cast<int>(states.size()), size};
  if (states.size() > std::size(added.states)) throw std::invalid_argument("a tensor has more states than any rule");
  std::copy(states.begin(), states.end(), added.states);
  tensors_.push_back(added);
  steps_.push_back(steps);
  const int64_t bytes = size * size_of(dtype_);
  owned_.add(param, bytes, {param_role, tensor});
  for (int k = 0; k < added.state_count; ++k) owned_.add(states[k], bytes, {state_role + k, tensor});
}

void Tensors::seal(std::vector<Rule> rules) {
  if (std::accumulate(group_sizes_.begin(), group_sizes_.end(), size_t{0}) != tensors_.size()) {
    throw std::invalid_argument("the sizes of the groups do not add up to the number of tensors");
  }
  owned_.seal();
  set_rules(std::move(rules));
}

void Tensors::set_rules(std::vector<Rule> rules) {
  expect_fit(rules);
  rules_ = std::move(rules);
}

void Tensors::set_options(size_t group, const Rule& rule) {
  if (group_sizes_[group] > 0 && rules_[group].array_count() != rule.array_count()) {
    throw std::invalid_argument("the rule of a group needs other states");
  }
  rules_[group] = rule;
}

void Tensors::expect_fit(const std::vector<Rule>& rules) const {
  if (rules.size() != group_sizes_.size()) throw std::invalid_argument("expected a rule for each group");
  size_t i = 0;
  for (size_t group = 0; group < group_sizes_.size(); ++group) {
    if (rules[group].dtype != dtype_) throw std::invalid_argument("a rule is for elements of another type");
    const int expected = rules[group].array_count();
    for (const size_t end = i + group_sizes_[group]; i < end; ++i) {
      if (tensors_[i].state_count != expected) throw std::invalid_argument("a tensor has the wrong states for its rule");
    }
  }
}

void Tensors::expect_apart(const std::vector<std::optional<const void*>>& grads) const {
  for (size_t i = 0; i < grads.size(); ++i) {
    if (grads[i]) owned_.expect_apart(*grads[i], tensors_[i].size * size_of(dtype_), {grad_role, i});
  }
}

void Tensors::throw_nonfinite(const std::vector<std::optional<const void*>>& grads, const StepOptions& options) const {
  for (size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i]) continue;
    const int64_t size = tensors_[i].size;
    const int64_t found =
        dtype_ == DType::float32 ? first_nonfinite<float>(*grads[i], size) : first_nonfinite<double>(*grads[i], size);
    if (found < size) throw Refusal("nonfinite", {grad_role, i}, {grad_role, i}, std::to_string(found));
  }
  if (options.knows_norm) throw Refusal("known norm", {grad_role, 0});
  throw Refusal("norm", {grad_role, 0});  // each element is finite, but not the norm
}

std::optional<double> Tensors::step(const std::vector<std::optional<const void*>>& grads, const StepOptions& options,
                                    int threads, std::vector<Rule>* rules) {
  if (rules) expect_fit(*rules);
  if (step_count() == std::numeric_limits<int64_t>::max()) {
    throw std::invalid_argument("step_count is 2**63 - 1; expected at most 2**63 - 2 steps before this one");
  }
  const DefaultFloatEnv float_env;  // for the kernels that this thread runs
  const Kernels& kernels = active_kernels(dtype_);
  Coefficients transforms[2];  // of groups that minimize and that maximize
  std::vector<Coefficients> coefficients;
  coefficients.reserve(2 * tensors_.size());  // the tasks point into it
  std::vector<Task> tasks;
  tasks.reserve(tensors_.size());
  size_t i = 0;
  for (size_t group = 0; group < group_sizes_.size(); ++group) {
    const Rule& rule = (rules ? *rules : rules_)[group];
    const int state_count = rule.state_count();
    Task task{kernels.step(rule.info->id, rule.flags), &transforms[rule.maximize], nullptr, nullptr, {}, nullptr, 0};
    int64_t counted = -1;  // the step count that the task's coefficients are for
    for (const size_t end = i + group_sizes_[group]; i < end; ++i) {
      const Tensor& tensor = tensors_[i];
      if (!grads[i]) continue;
      owned_.expect_apart(*grads[i], tensor.size * size_of(dtype_), {grad_role, i});
      if (steps_[i] < 0 || steps_[i] == std::numeric_limits<int64_t>::max()) throw Refusal("step", {param_role, i});
      // Neighbours nearly always have the same step count and share coefficients.
      if (steps_[i] != counted) {
        counted = steps_[i];
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

  // After the last error. Whoever counts steps reads it here, so that nothing comes between a step and its count.
  const auto done = [&] {
    if (rules) rules_.swap(*rules);
    set_step_count(step_count() + 1);
  };
  std::optional<double> norm;
  double scale = options.grad_scale;
  if (options.finds_norm) {
    const double given = options.knows_norm ? options.norm : global_norm(grads_of(tasks), dtype_, threads);
    const Verdict verdict = scalars_of(dtype_).verdict(given, options);
    norm = verdict.norm;
    if (!verdict.applies) {
      if (options.raises_nonfinite) throw_nonfinite(grads, options);
      ++skips_;
      done();
      return norm;
    }
    scale = verdict.scale;
  }
  bool changes[2] = {};
  for (const bool maximize : {false, true}) {
    if (const auto transform = scalars_of(dtype_).gradient(options, scale, maximize)) {
      transforms[maximize] = *transform;
      changes[maximize] = true;
    }
  }
  for (Task& task : tasks) {
    if (!changes[task.transform - transforms]) task.transform = nullptr;
  }
  run_tasks(kernels, dtype_, tasks, threads);
  for (i = 0; i < tensors_.size(); ++i) steps_[i] += grads[i].has_value();
  done();
  return norm;
}

}  // namespace fastadam
