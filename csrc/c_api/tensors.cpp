// Many tensors, made once and stepped together.
#include "../cpu/tensors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "../cpu/environment.hpp"
#include "checks.hpp"
#include "functions.hpp"

struct fastadam_tensors {
  std::vector<int64_t> sizes;
  std::vector<fastadam::Rule> rules;
  fastadam::Tensors tensors;
  fastadam::Gradients grads;  // of the step in progress
};

namespace fastadam::c_api {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

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

// The same of an array that the step reads and writes.
template <class Given>
void* usable(Place place, const Given& array, int64_t size, DType dtype) {
  const std::string name = name_of(place);
  const void* const memory = address(name, array, dtype);
  expect_usable(name, memory, size, dtype);
  return const_cast<void*>(memory);
}

template <class Tensor>
void add(fastadam_tensors& made, const Tensor& tensor, int array_count) {
  const size_t i = made.sizes.size();
  const DType dtype = made.tensors.dtype();
  void* const param = usable({param_role, i}, tensor.param, tensor.size, dtype);
  if (array_count > 0 && !tensor.states) {
    refuse("tensor " + std::to_string(i) + "'s states", "is NULL",
           "the addresses of " + std::to_string(array_count) + " arrays");
  }
  std::vector<void*> states;
  for (int k = 0; k < array_count; ++k) states.push_back(usable({state_role + k, i}, tensor.states[k], tensor.size, dtype));
  made.tensors.add(param, states, tensor.size, tensor.steps);
  made.sizes.push_back(tensor.size);
}

template <class Group>
std::unique_ptr<fastadam_tensors> make(const Group* groups, int64_t group_count) {
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
    const DType dtype = rule->rule.dtype, first = rules[0].dtype;
    if constexpr (std::is_same_v<Group, fastadam_group>) expect_float32((name + ".rule").c_str(), dtype);
    if (dtype != first) refuse(name + ".rule", std::string("is for ") + fastadam::name_of(dtype), fastadam::name_of(first));
  }
  const DType dtype = rules.empty() ? DType::float32 : rules[0].dtype;
  std::unique_ptr<fastadam_tensors> made(new fastadam_tensors{{}, rules, Tensors(sizes, dtype), {}});
  for (int64_t i = 0; i < group_count; ++i) {
    for (int64_t k = 0; k < groups[i].count; ++k) add(*made, groups[i].tensors[k], rules[i].array_count());
  }
  made->grads.resize(made->sizes.size());
  try {
    made->tensors.seal(std::move(rules));
  } catch (const Refusal& refusal) {
    reword(refusal);
  }
  return made;
}

template <class Group>
fastadam_tensors* made_or_null(const Group* groups, int64_t group_count) {
  std::unique_ptr<fastadam_tensors> made;
  const int status = guarded([&] { made = make(groups, group_count); });
  return status == FASTADAM_OK ? made.release() : nullptr;
}

// A bound of the options, where 0 stands for none.
double bound(const char* name, double value) {
  if (!(value >= 0)) refuse(name, "is " + std::to_string(value), "a number above 0, or 0 for none");
  return value == 0 ? infinity : value;
}

StepOptions checked(const fastadam_step_options& given, bool wants_norm, DType dtype) {
  if (!(std::abs(given.grad_scale) < (dtype == DType::float32 ? 0x1.ffffffp127 : infinity))) {
    refuse("grad_scale", "is " + std::to_string(given.grad_scale),
           std::string("a number that is finite in ") + fastadam::name_of(dtype));
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

const void* elements(const float* memory) { return memory; }
const void* elements(const fastadam_array& array) { return array.elements; }

bool has_type(const float*, DType) { return true; }
bool has_type(const fastadam_array& array, DType dtype) { return array.dtype == number_of(dtype) && !array.scales; }

// The elements of gradient `i`, whose name is made only if they are refused.
template <class Given>
const void* gradient(const Given& given, size_t i, DType dtype) {
  const void* const memory = elements(given);
  if (has_type(given, dtype) && is_aligned(memory, dtype)) return memory;
  const std::string name = indexed("grads", i);
  expect_aligned(name, address(name, given, dtype), dtype);
  return memory;
}

template <class Given>
void step(fastadam_tensors* tensors, const Given* grads, const fastadam_step_options* options, int threads, double* norm) {
  ensure_environment();
  expect_tensors(tensors);
  expect_threads(threads);
  const Tensors::Turn turn(tensors->tensors);
  const size_t count = tensors->sizes.size();
  const DType dtype = tensors->tensors.dtype();
  if (!grads && count > 0) refuse("grads", "is NULL", "the address of a gradient for each tensor");
  const fastadam_step_options given = options ? *options : fastadam_step_options FASTADAM_STEP_DEFAULTS;
  const StepOptions checked_options = options || norm ? checked(given, norm, dtype) : as_given;
  for (size_t i = 0; i < count; ++i) {
    // An empty tensor's gradient may be NULL, and is one.
    const bool is_given = elements(grads[i]) || tensors->sizes[i] == 0;
    tensors->grads[i] = is_given ? std::optional<fastadam::Gradient>(gradient(grads[i], i, dtype)) : std::nullopt;
  }
  try {
    const std::optional<double> found = tensors->tensors.step(tensors->grads, checked_options, threads);
    if (norm) *norm = *found;
  } catch (const Refusal& refusal) {
    reword(refusal);
  }
}

}  // namespace

fastadam_tensors* tensors_new(const fastadam_group* groups, int64_t group_count) { return made_or_null(groups, group_count); }

fastadam_tensors* tensors_new_arrays(const fastadam_array_group* groups, int64_t group_count) {
  return made_or_null(groups, group_count);
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
    if (tensors) expect_float32("tensors", tensors->tensors.dtype());
    step(tensors, grads, options, threads, norm);
  });
}

int tensors_step_arrays(fastadam_tensors* tensors, const fastadam_array* grads, const fastadam_step_options* options,
                        int threads, double* norm) {
  return guarded([=] { step(tensors, grads, options, threads, norm); });
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

}  // namespace fastadam::c_api
