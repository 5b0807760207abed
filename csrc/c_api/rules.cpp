// Rules, and steps of one tensor.
#include <algorithm>
#include <optional>
#include <stdexcept>
#include <vector>

#include "../cpu/environment.hpp"
#include "../cpu/tensors.hpp"
#include "../rules/registry.hpp"
#include "checks.hpp"
#include "functions.hpp"

namespace fastadam {
namespace {

void step_tensor(const Rule& rule, const NamedArrays& arrays, int64_t size, int64_t step, int threads) {
  ensure_environment();
  if (step < 1) refuse("step", "is " + std::to_string(step), "a step number, counted from 1");
  expect_threads(threads);
  const int role_count = state_role + rule.array_count();
  for (int role = 0; role < role_count; ++role) expect_usable(arrays[role].name, arrays[role].memory, size);
  const auto writable = [&](int role) { return const_cast<float*>(arrays[role].memory); };
  try {
    Tensors tensors({1});
    std::vector<void*> states;
    for (int role = state_role; role < role_count; ++role) states.push_back(writable(role));
    tensors.add(writable(param_role), states, size, step - 1);
    tensors.seal({rule});
    tensors.step({arrays[grad_role].memory}, as_given, threads);
  } catch (const Refusal& refusal) {
    refuse(arrays[refusal.place.role].name, std::string("shares memory with ") + arrays[refusal.other.role].name,
           "arrays that do not overlap");
  }
}

}  // namespace

namespace c_api {

int adam_step(float* param, const float* grad, float* exp_avg, float* exp_avg_sq, float* max_exp_avg_sq, int64_t size,
              int64_t step, const fastadam_adam_options* options, int threads) {
  return guarded([=] {
    if (!options) refuse("options", "is NULL", "the address of a fastadam_adam_options");
    const auto& [lr, beta1, beta2, eps, weight_decay, decoupled_weight_decay, maximize] = *options;
    const Rule rule =
        checked_rule(rule_info(RuleId::adam), DType::float32,
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
    count = rule->rule.array_count();
  });
  return count;
}

int rule_step(const fastadam_rule* rule, float* param, const float* grad, float* const* states, int64_t size, int64_t step,
              int threads) {
  return guarded([=] {
    expect_rule(rule);
    NamedArrays arrays = named_arrays(param, grad);
    const int count = rule->rule.array_count();
    if (count > 0 && !states) refuse("states", "is NULL", "the addresses of " + std::to_string(count) + " arrays");
    for (int k = 0; k < count; ++k) arrays[state_role + k].memory = states[k];
    step_tensor(rule->rule, arrays, size, step, threads);
  });
}

int rule_init_states(const fastadam_rule* rule, const float* param, float* const* states, int64_t size) {
  return guarded([=] {
    expect_rule(rule);
    std::vector<std::optional<double>> starts;  // the average begins with zeros
    for (const StateInfo& state : rule->rule.states()) starts.push_back(rule->rule.start_of(state));
    starts.resize(rule->rule.array_count(), 0.0);
    if (!starts.empty() && !states)
      refuse("states", "is NULL", "the addresses of " + std::to_string(starts.size()) + " arrays");
    const NamedArrays names = named_arrays(param, nullptr);
    for (size_t k = 0; k < starts.size(); ++k) {
      expect_usable(names[state_role + k].name, states[k], size);
      if (!starts[k]) expect_usable("param", param, size);
    }
    for (size_t k = 0; k < starts.size(); ++k) {
      if (starts[k]) {
        std::fill_n(states[k], size, static_cast<float>(*starts[k]));
      } else {
        std::copy_n(param, size, states[k]);
      }
    }
  });
}

}  // namespace c_api
}  // namespace fastadam
