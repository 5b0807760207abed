// Many tensors, made once and stepped together, and the norm of many arrays.
#include "../cpu/tensors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../cpu/environment.hpp"
#include "../cpu/norm.hpp"
#include "checks.hpp"
#include "functions.hpp"

struct fastadam_tensors {
  std::vector<int64_t> sizes;
  std::vector<fastadam::Rule> rules;
  fastadam::Tensors tensors;
  std::vector<std::optional<const void*>> grads;  // of the step in progress
};

namespace fastadam::c_api {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::string indexed(const std::string& name, size_t i) { return name + '[' + std::to_string(i) + ']'; }

std::string name_of(Place place) {
  if (place.role == grad_role) return indexed("grads", place.tensor);
  const std::string tensor = "tensor " + std::to_string(place.tensor) + "'s ";
  return place.role == param_role ? tensor + "param" : indexed(tensor + "states", place.role - state_role);
}

[[noreturn]] void reword(const Refusal& refusal) {
  if (refusal.reason == "overlap") {
    refuse(name_of(refusal.place), "shares memory with " + name_of(refusal.other), "arrays that do not overlap");
  }
  refuse(indexed("tensors_steps", refusal.place.tensor), "is out of range", "0 to 2**63 - 2");
}

void add(fastadam_tensors& made, const fastadam_tensor& tensor, int array_count) {
  const size_t i = made.sizes.size();
  expect_usable(name_of({param_role, i}), tensor.param, tensor.size);
  if (array_count > 0 && !tensor.states) {
    refuse("tensor " + std::to_string(i) + "'s states", "is NULL",
           "the addresses of " + std::to_string(array_count) + " arrays");
  }
  for (int k = 0; k < array_count; ++k) expect_usable(name_of({state_role + k, i}), tensor.states[k], tensor.size);
  const std::vector<void*> states(tensor.states, tensor.states + array_count);
  made.tensors.add(tensor.param, states, tensor.size, tensor.steps);
  made.sizes.push_back(tensor.size);
}

// A bound of the options, where 0 stands for none.
double bound(const char* name, double value) {
  if (!(value >= 0)) refuse(name, "is " + std::to_string(value), "a number above 0, or 0 for none");
  return value == 0 ? infinity : value;
}

StepOptions checked(const fastadam_step_options& given, bool wants_norm) {
  if (!(std::abs(given.grad_scale) < 0x1.ffffffp127)) {
    refuse("grad_scale", "is " + std::to_string(given.grad_scale), "a number that is finite in float32");
  }
  if (given.skip_nonfinite != 0 && given.skip_nonfinite != 1) {
    refuse("skip_nonfinite", "is " + std::to_string(given.skip_nonfinite), "0 or 1");
  }
  const bool skips = given.skip_nonfinite != 0;
  const double clip_value = bound("clip_value", given.clip_value), max_norm = bound("max_norm", given.max_norm);
  return {given.grad_scale, clip_value, max_norm, wants_norm || skips || max_norm < infinity, skips, false};
}

void expect_tensors(const fastadam_tensors* tensors) {
  if (!tensors) refuse("tensors", "is NULL", "tensors from tensors_new");
}

}  // namespace

fastadam_tensors* tensors_new(const fastadam_group* groups, int64_t group_count) {
  std::unique_ptr<fastadam_tensors> made;
  const int status = guarded([&] {
    if (group_count < 0 || (group_count > 0 && !groups)) refuse("groups", "is NULL or group_count is negative", "groups");
    std::vector<size_t> sizes;
    std::vector<Rule> rules;
    for (int64_t i = 0; i < group_count; ++i) {
      const auto& [rule, tensors, count] = groups[i];
      const std::string name = indexed("groups", i);
      if (!rule) refuse(name + ".rule", "is NULL", "a rule from rule_new");
      if (count < 0 || (count > 0 && !tensors)) refuse(name + ".tensors", "is NULL or count is negative", "tensors");
      sizes.push_back(static_cast<size_t>(count));
      rules.push_back(rule->rule);
    }
    made.reset(new fastadam_tensors{{}, rules, Tensors(sizes), {}});
    for (int64_t i = 0; i < group_count; ++i) {
      for (int64_t k = 0; k < groups[i].count; ++k) add(*made, groups[i].tensors[k], rules[i].array_count());
    }
    made->grads.resize(made->sizes.size());
    try {
      made->tensors.seal(std::move(rules));
    } catch (const Refusal& refusal) {
      reword(refusal);
    }
  });
  return status == FASTADAM_OK ? made.release() : nullptr;
}

void tensors_free(fastadam_tensors* tensors) { delete tensors; }

int tensors_set_rule(fastadam_tensors* tensors, int64_t group, const fastadam_rule* rule) {
  return guarded([=] {
    expect_tensors(tensors);
    expect_rule(rule);
    const auto count = static_cast<int64_t>(tensors->rules.size());
    if (group < 0 || group >= count) {
      refuse("group", "is " + std::to_string(group), "a number from 0 to " + std::to_string(count - 1));
    }
    if (!rule->rule.keeps_states_of(tensors->rules[group])) {
      refuse("rule", "keeps other states", "a rule with the states of the group's");
    }
    std::vector<Rule> rules = tensors->rules;
    rules[group] = rule->rule;
    tensors->tensors.set_rules(rules);
    tensors->rules.swap(rules);
  });
}

int tensors_step(fastadam_tensors* tensors, const float* const* grads, const fastadam_step_options* options, int threads,
                 double* norm) {
  return guarded([=] {
    ensure_environment();
    expect_tensors(tensors);
    expect_threads(threads);
    const Tensors::Turn turn(tensors->tensors);
    const size_t count = tensors->sizes.size();
    if (!grads && count > 0) refuse("grads", "is NULL", "the address of a gradient for each tensor");
    const StepOptions checked_options =
        options || norm ? checked(options ? *options : fastadam_step_options FASTADAM_STEP_DEFAULTS, norm) : as_given;
    for (size_t i = 0; i < count; ++i) {
      // An empty tensor's gradient may be NULL, and is one.
      const bool is_given = grads[i] || tensors->sizes[i] == 0;
      if (reinterpret_cast<uintptr_t>(grads[i]) % alignof(float) != 0) {
        expect_usable(indexed("grads", i), grads[i], tensors->sizes[i]);
      }
      tensors->grads[i] = is_given ? std::optional<const void*>(grads[i]) : std::nullopt;
    }
    try {
      const std::optional<double> found = tensors->tensors.step(tensors->grads, checked_options, threads);
      if (norm) *norm = *found;
    } catch (const Refusal& refusal) {
      reword(refusal);
    }
  });
}

int64_t* tensors_steps(fastadam_tensors* tensors) {
  int64_t* steps = nullptr;
  guarded([&] {
    expect_tensors(tensors);
    steps = tensors->tensors.steps();
  });
  return steps;
}

int64_t tensors_skipped(const fastadam_tensors* tensors) {
  int64_t skipped = -1;
  guarded([&] {
    expect_tensors(tensors);
    skipped = tensors->tensors.skipped();
  });
  return skipped;
}

int global_norm(const float* const* grads, const int64_t* sizes, int64_t count, int threads, double* norm) {
  return guarded([=] {
    ensure_environment();
    expect_threads(threads);
    if (count < 0) refuse("count", "is " + std::to_string(count), "a number of arrays, at least 0");
    if (!norm || (count > 0 && (!grads || !sizes))) refuse("norm, grads or sizes", "is NULL", "their addresses");
    std::vector<Array> arrays;
    for (int64_t i = 0; i < count; ++i) {
      expect_usable(indexed("grads", i), grads[i], sizes[i]);
      arrays.push_back({grads[i], sizes[i]});
    }
    *norm = fastadam::global_norm(arrays, DType::float32, threads);
  });
}

}  // namespace fastadam::c_api
