#include "tensors.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "../rules/formats.hpp"
#include "../scalars.hpp"
#include "float_env.hpp"
#include "isa.hpp"
#include "norm.hpp"
#include "tasks.hpp"

namespace fastadam {
namespace {

// The index of the first element that is not finite; its size if there is none.
int64_t first_nonfinite(const Array& array, DType dtype) {
  int64_t i = 0;
  while (i < array.size && std::isfinite(element(array, i, dtype))) ++i;
  return i;
}

std::vector<Array> grads_of(const std::vector<Task>& tasks) {
  std::vector<Array> arrays;
  arrays.reserve(tasks.size());
  for (const Task& task : tasks) {
    arrays.push_back({task.buffers.grad, task.size, task.stored ? task.stored->grad.format : Format::real});
  }
  return arrays;
}

Stored real(void* memory) { return {memory, nullptr, Format::real}; }

}  // namespace

void Tensors::add(void* param, const std::vector<void*>& states, int64_t size, int64_t steps) {
  TensorArrays arrays{real(param), {}, {}};
  for (void* const state : states) arrays.states.push_back(real(state));
  add(arrays, size, steps);
}

void Tensors::add(const TensorArrays& arrays, int64_t size, int64_t steps) {
  const size_t tensor = tensors_.size();
  Tensor added{arrays.param, arrays.copy, {}, static_cast<int>(arrays.states.size()), size, true};
  if (arrays.states.size() > std::size(added.states)) throw std::invalid_argument("a tensor has more states than any rule");
  std::copy(arrays.states.begin(), arrays.states.end(), added.states);
  const auto is_real = [](const Stored& stored) { return stored.format == Format::real; };
  added.is_real = !added.copy.data && is_real(added.param) && std::all_of(arrays.states.begin(), arrays.states.end(), is_real);
  if (!added.is_real && dtype_ != DType::float32) throw std::invalid_argument("formats are for elements of float32");
  tensors_.push_back(added);
  steps_.push_back(steps);
  int role = state_role;
  const auto own_data = [&](const Stored& stored, int of) {
    owned_.add(stored.data, size * width_of(stored.format, size_of(dtype_)), {of, tensor});
  };
  const auto own_more = [&](const Stored& stored) {
    const int64_t bytes = stored.format == Format::split ? 2 * size : blocks(size);
    if (stored.more) owned_.add(stored.more, bytes, {role++, tensor});
  };
  own_data(added.copy.data ? added.copy : added.param, param_role);
  for (const Stored& state : arrays.states) {
    own_data(state, role++);
    own_more(state);
  }
  if (added.copy.data) own_data(added.param, role++);
  own_more(added.param);
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

void Tensors::expect_apart(const Gradients& grads) const {
  for (size_t i = 0; i < grads.size(); ++i) {
    if (grads[i]) expect_apart(*grads[i], i);
  }
}

void Tensors::expect_apart(const Gradient& grad, size_t tensor) const {
  owned_.expect_apart(grad.memory, tensors_[tensor].size * width_of(grad.format, size_of(dtype_)), {grad_role, tensor});
}

void Tensors::throw_nonfinite(const Gradients& grads, const StepOptions& options) const {
  for (size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i]) continue;
    const int64_t size = tensors_[i].size;
    const int64_t found = first_nonfinite({grads[i]->memory, size, grads[i]->format}, dtype_);
    if (found < size) throw Refusal("nonfinite", {grad_role, i}, {grad_role, i}, std::to_string(found));
  }
  if (options.knows_norm) throw Refusal("known norm", {grad_role, 0});
  throw Refusal("norm", {grad_role, 0});  // each element is finite, but not the norm
}

std::optional<double> Tensors::step(const Gradients& grads, const StepOptions& options, int threads, std::vector<Rule>* rules) {
  if (rules) expect_fit(*rules);
  if (step_count() == std::numeric_limits<int64_t>::max()) {
    throw std::invalid_argument("step_count is 2**63 - 1; expected at most 2**63 - 2 steps before this one");
  }
  const DefaultFloatEnv float_env;  // for the kernels that this thread runs
  const Kernels& kernels = active_kernels(dtype_);
  Coefficients transforms[2];  // of groups that minimize and that maximize
  std::vector<Coefficients> coefficients;
  coefficients.reserve(2 * tensors_.size());        // the tasks point into it
  std::vector<std::unique_ptr<StoredStep>> stored;  // to which tasks point too
  std::vector<Task> tasks;
  tasks.reserve(tensors_.size());
  size_t i = 0;
  for (size_t group = 0; group < group_sizes_.size(); ++group) {
    const Rule& rule = (rules ? *rules : rules_)[group];
    const int state_count = rule.state_count();
    Task task{kernels.step(rule.info->id, rule.flags), &transforms[rule.maximize], nullptr, nullptr, {}, nullptr, 0, nullptr};
    int64_t counted = -1;  // the step count that the task's coefficients are for
    for (const size_t end = i + group_sizes_[group]; i < end; ++i) {
      const Tensor& tensor = tensors_[i];
      if (!grads[i]) continue;
      expect_apart(*grads[i], i);
      if (steps_[i] < 0 || steps_[i] == std::numeric_limits<int64_t>::max()) throw Refusal("step", {param_role, i});
      // Neighbours nearly always have the same step count and share coefficients.
      if (steps_[i] != counted) {
        counted = steps_[i];
        task.rule = &coefficients.emplace_back(rule.at_step(counted + 1));
        if (rule.ema_decay) task.average = &coefficients.emplace_back(rule.average_at_step(counted + 1));
      }
      task.buffers = {tensor.param.data, grads[i]->memory, {}};
      for (int k = 0; k < state_count; ++k) task.buffers.state[k] = tensor.states[k].data;
      task.ema = rule.ema_decay ? tensor.states[state_count].data : nullptr;
      task.size = tensor.size;
      task.stored = nullptr;
      if (!tensor.is_real || grads[i]->format != Format::real) {
        StoredStep step{};
        step.param = tensor.param;
        step.grad = {const_cast<void*>(grads[i]->memory), nullptr, grads[i]->format};
        std::copy_n(tensor.states, state_count, step.states);
        step.copy = tensor.copy;
        step.state_count = state_count;
        step.dither = dither_at(rule.storage.seed, static_cast<Word>(i), counted + 1);
        task.stored = stored.emplace_back(std::make_unique<StoredStep>(step)).get();
      }
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
