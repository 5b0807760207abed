// The C interface of include/fastadam.h: checks of what C has no types for, and errors as numbers and text.
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>

#include "cpu/isa.hpp"
#include "cpu/tensors.hpp"
#include "include/fastadam.h"
#include "rule.hpp"
#include "rules/registry.hpp"

namespace fastadam {
namespace {

thread_local std::string error_text;

// Calls, for C, which cannot catch, what may throw.
template <class Call>
int guarded(Call call) {
  try {
    call();
    return FASTADAM_OK;
  } catch (const std::bad_alloc&) {
    error_text = "out of memory";  // short enough to need none
    return FASTADAM_NO_MEMORY;
  } catch (const std::exception& error) {
    error_text = error.what();
    return FASTADAM_INVALID;
  }
}

[[noreturn]] void refuse(const std::string& name, const std::string& found, const std::string& expected) {
  throw std::invalid_argument(name + " " + found + "; expected " + expected);
}

std::string text_of(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", value);
  return text;
}

void expect_non_negative(const char* name, double value) {
  if (!(value >= 0 && std::isfinite(value))) refuse(name, "is " + text_of(value), "a finite number >= 0");
}

void expect_decay_rate(const char* name, double value) {
  if (!(value >= 0 && static_cast<float>(value) < 1)) {
    refuse(name, "is " + text_of(value), "a number in [0, 1) that does not round to 1 in float32");
  }
}

// The arrays of a step and their names, by role.
struct NamedArray {
  const char* name;
  const float* memory;
};
using NamedArrays = std::array<NamedArray, state_role + max_states>;

void step_tensor(const Rule& rule, const NamedArrays& arrays, int64_t size, int64_t step, int threads) {
  constexpr int64_t most = std::numeric_limits<int64_t>::max() / sizeof(float);
  if (size < 0 || size > most) refuse("size", "is " + std::to_string(size), "a number of elements from 0");
  if (step < 1) refuse("step", "is " + std::to_string(step), "a number from 1, the first step");
  if (threads < 0) refuse("threads", "is " + std::to_string(threads), "a number of threads, or 0 for the default");
  const int role_count = state_role + rule.state_count();
  for (int role = 0; role < role_count; ++role) {
    const auto& [name, memory] = arrays[role];
    if (!memory && size > 0) refuse(name, "is NULL", "the address of " + std::to_string(size) + " floats");
    if (reinterpret_cast<uintptr_t>(memory) % alignof(float) != 0)
      refuse(name, "is not aligned", "an address aligned to 4 bytes");
  }
  const auto writable = [&](int role) { return const_cast<float*>(arrays[role].memory); };
  try {
    Tensors tensors({1});
    std::vector<float*> states;
    for (int role = state_role; role < role_count; ++role) states.push_back(writable(role));
    tensors.add(writable(param_role), states, size);
    tensors.seal();
    int64_t steps = step - 1, skips = 0;
    tensors.step({&rule}, {arrays[grad_role].memory}, &steps, &skips, {}, threads);
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
    expect_non_negative("lr", lr);
    expect_decay_rate("beta1", beta1);
    expect_decay_rate("beta2", beta2);
    expect_non_negative("eps", eps);
    expect_non_negative("weight_decay", weight_decay);
    unsigned flags = 0;
    if (max_exp_avg_sq) flags |= Adam::amsgrad;
    if (maximize) flags |= Adam::maximize;
    if (weight_decay != 0 && !decoupled_weight_decay) flags |= Adam::coupled;
    const Rule rule{&rules()[static_cast<size_t>(RuleId::adam)], {lr, beta1, beta2, eps, weight_decay}, flags, std::nullopt};
    const NamedArrays arrays{{{"param", param},
                              {"grad", grad},
                              {"exp_avg", exp_avg},
                              {"exp_avg_sq", exp_avg_sq},
                              {"max_exp_avg_sq", max_exp_avg_sq}}};
    step_tensor(rule, arrays, size, step, threads);
  });
}

constexpr fastadam_api api{FASTADAM_API_MAJOR, FASTADAM_API_MINOR, FASTADAM_VERSION, error, active_isa, adam_step};

}  // namespace
}  // namespace fastadam

const fastadam_api* fastadam_get_api() { return &fastadam::api; }
