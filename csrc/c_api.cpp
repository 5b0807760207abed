// The C interface of include/fastadam.h: checks what C has no types for, and returns errors as codes and text.
#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>

#include "cpu/isa.hpp"
#include "cpu/norm.hpp"
#include "cpu/tensors.hpp"
#include "include/fastadam.h"
#include "rule.hpp"
#include "rules/registry.hpp"

struct fastadam_rule {
  fastadam::NamedOptions options;
  fastadam::Rule rule;
};

namespace fastadam {
namespace {

thread_local std::string error_text;
constexpr const char* out_of_memory = "out of memory";  // short enough not to allocate

// Calls what may throw and returns a status, since C cannot catch exceptions.
template <class Call>
int guarded(Call call) {
  try {
    call();
    return FASTADAM_OK;
  } catch (const std::bad_alloc&) {
    error_text = out_of_memory;
    return FASTADAM_NO_MEMORY;
  } catch (const std::exception& error) {
    try {
      error_text = error.what();
      return FASTADAM_INVALID;
    } catch (const std::bad_alloc&) {
      error_text = out_of_memory;
      return FASTADAM_NO_MEMORY;
    }
  }
}

[[noreturn]] void refuse(const std::string& name, const std::string& found, const std::string& expected) {
  throw std::invalid_argument(name + " " + found + "; expected " + expected);
}

void expect_rule(const fastadam_rule* rule) {
  if (!rule) refuse("rule", "is NULL", "a rule from rule_new");
}

// The arrays of a step and their names, by role.
struct NamedArray {
  const char* name;
  const float* memory;
};
using NamedArrays = std::array<NamedArray, state_role + max_states>;

void expect_usable(const NamedArray& array, int64_t size) {
  constexpr int64_t most = std::numeric_limits<int64_t>::max() / sizeof(float);
  const auto& [name, memory] = array;
  if (size < 0 || size > most) refuse("size", "is " + std::to_string(size), "a number of elements, at least 0");
  if (!memory && size > 0) refuse(name, "is NULL", "the address of " + std::to_string(size) + " floats");
  if (reinterpret_cast<uintptr_t>(memory) % alignof(float) != 0)
    refuse(name, "is not aligned", "an address aligned to 4 bytes");
}

void expect_threads(int threads) {
  if (threads < 0) refuse("threads", "is " + std::to_string(threads), "a number of threads, or 0 for the default");
}

void step_tensor(const Rule& rule, const NamedArrays& arrays, int64_t size, int64_t step, int threads) {
  if (step < 1) refuse("step", "is " + std::to_string(step), "a step number, counted from 1");
  expect_threads(threads);
  const int role_count = state_role + rule.state_count();
  for (int role = 0; role < role_count; ++role) expect_usable(arrays[role], size);
  const auto writable = [&](int role) { return const_cast<float*>(arrays[role].memory); };
  try {
    Tensors tensors({1});
    std::vector<float*> states;
    for (int role = state_role; role < role_count; ++role) states.push_back(writable(role));
    tensors.add(writable(param_role), states, size, step - 1);
    tensors.seal({rule});
    tensors.step({arrays[grad_role].memory}, as_given, threads);
  } catch (const Refusal& refusal) {
    refuse(arrays[refusal.place.role].name, std::string("shares memory with ") + arrays[refusal.other.role].name,
           "arrays that do not overlap");
  }
}

const char* error() { return error_text.c_str(); }

int adam_step(float* param, const float* grad, float* exp_avg, float* exp_avg_sq, float* max_exp_avg_sq, int64_t size,
              int64_t step, const fastadam_adam_options* options, int threads) {
  return guarded([=] {
    if (!options) refuse("options", "is NULL", "the address of a fastadam_adam_options");
    const auto& [lr, beta1, beta2, eps, weight_decay, decoupled_weight_decay, maximize] = *options;
    const Rule rule =
        checked_rule(rule_info(RuleId::adam),
                     {lr, beta1, beta2, eps, weight_decay, max_exp_avg_sq ? 1.0 : 0.0, decoupled_weight_decay ? 1.0 : 0.0},
                     maximize != 0, std::nullopt);
    const NamedArrays arrays{{{"param", param},
                              {"grad", grad},
                              {"exp_avg", exp_avg},
                              {"exp_avg_sq", exp_avg_sq},
                              {"max_exp_avg_sq", max_exp_avg_sq}}};
    step_tensor(rule, arrays, size, step, threads);
  });
}

fastadam_rule* rule_new(const char* name, const fastadam_option* options, int count) {
  fastadam_rule* created = nullptr;
  guarded([&] {
    if (!name) refuse("name", "is NULL", "the name of a rule");
    if (count < 0 || (count > 0 && !options)) refuse("options", "is NULL or count is negative", "count options, at least 0");
    NamedOptions named;
    for (int i = 0; i < count; ++i) {
      if (!options[i].name) refuse("options", "has an option whose name is NULL", "the names of options");
      named[options[i].name] = options[i].value;
    }
    const Rule rule = make_rule(name, named);
    created = new fastadam_rule{named, rule};
  });
  return created;
}

int rule_set(fastadam_rule* rule, const char* option, double value) {
  return guarded([=] {
    expect_rule(rule);
    if (!option) refuse("option", "is NULL", "the name of an option");
    NamedOptions changed = rule->options;
    changed[option] = value;
    rule->rule = make_rule(rule->rule.info->name, changed);
    rule->options.swap(changed);
  });
}

void rule_free(fastadam_rule* rule) { delete rule; }

int rule_state_count(const fastadam_rule* rule) {
  int count = -1;
  guarded([&] {
    expect_rule(rule);
    count = rule->rule.state_count();
  });
  return count;
}

int rule_step(const fastadam_rule* rule, float* param, const float* grad, float* const* states, int64_t size, int64_t step,
              int threads) {
  return guarded([=] {
    expect_rule(rule);
    NamedArrays arrays{{{"param", param},
                        {"grad", grad},
                        {"states[0]", nullptr},
                        {"states[1]", nullptr},
                        {"states[2]", nullptr},
                        {"states[3]", nullptr}}};
    const int count = rule->rule.state_count();
    if (count > 0 && !states) refuse("states", "is NULL", "the addresses of " + std::to_string(count) + " arrays");
    for (int k = 0; k < count; ++k) arrays[state_role + k].memory = states[k];
    step_tensor(rule->rule, arrays, size, step, threads);
  });
}

int rule_init_states(const fastadam_rule* rule, const float* param, float* const* states, int64_t size) {
  return guarded([=] {
    expect_rule(rule);
    const std::vector<StateInfo> kept = rule->rule.states();
    if (!kept.empty() && !states) refuse("states", "is NULL", "the addresses of " + std::to_string(kept.size()) + " arrays");
    for (size_t k = 0; k < kept.size(); ++k) expect_usable({"states[k]", states[k]}, size);
    if (std::any_of(kept.begin(), kept.end(), [](const StateInfo& state) { return state.start == StateInfo::param; })) {
      expect_usable({"param", param}, size);
    }
    for (size_t k = 0; k < kept.size(); ++k) {
      const std::optional<double> start = rule->rule.start_of(kept[k]);
      if (start) {
        std::fill_n(states[k], size, static_cast<float>(*start));
      } else {
        std::copy_n(param, size, states[k]);
      }
    }
  });
}

int norm(const float* const* grads, const int64_t* sizes, int64_t count, int threads, double* result) {
  return guarded([=] {
    expect_threads(threads);
    if (count < 0) refuse("count", "is " + std::to_string(count), "a number of arrays, at least 0");
    if (!result || (count > 0 && (!grads || !sizes))) refuse("norm, grads or sizes", "is NULL", "their addresses");
    std::vector<Array> arrays;
    for (int64_t i = 0; i < count; ++i) {
      expect_usable({"grads[i]", grads[i]}, sizes[i]);
      arrays.push_back({grads[i], sizes[i]});
    }
    *result = global_norm(arrays, threads);
  });
}

constexpr fastadam_api api{
    FASTADAM_API_MAJOR, FASTADAM_API_MINOR, FASTADAM_VERSION, error,     active_isa, adam_step,       rule_new,
    rule_set,           rule_free,          rule_state_count, rule_step, norm,       rule_init_states};

}  // namespace
}  // namespace fastadam

const fastadam_api* fastadam_get_api() { return &fastadam::api; }
