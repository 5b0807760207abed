// Steps of one tensor.
#include <array>
#include <optional>
#include <string>
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
  for (int role = 0; role < role_count; ++role) expect_usable(arrays[role].name, arrays[role].memory, size, rule.dtype);
  const auto writable = [&](int role) { return const_cast<void*>(arrays[role].memory); };
  try {
    Tensors tensors({1}, rule.dtype);
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

constexpr std::array<const char*, 5> adam_names = {"param", "grad", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
using AdamAddresses = std::array<const void*, adam_names.size()>;

NamedArrays adam_arrays(const AdamAddresses& addresses) {
  NamedArrays arrays{};
  for (size_t i = 0; i < addresses.size(); ++i) arrays[i] = {adam_names[i], addresses[i]};
  return arrays;
}

Rule adam(const fastadam_adam_options* options, bool amsgrad, DType dtype) {
  if (!options) refuse("options", "is NULL", "the address of a fastadam_adam_options");
  const auto& [lr, beta1, beta2, eps, weight_decay, decoupled_weight_decay, maximize] = *options;
  return checked_rule(rule_info(RuleId::adam), dtype,
                      {lr, beta1, beta2, eps, weight_decay, amsgrad ? 1.0 : 0.0, decoupled_weight_decay ? 1.0 : 0.0, 1.0, 0.0},
                      maximize != 0, std::nullopt);
}

}  // namespace

namespace c_api {

int adam_step(float* param, const float* grad, float* exp_avg, float* exp_avg_sq, float* max_exp_avg_sq, int64_t size,
              int64_t step, const fastadam_adam_options* options, int threads) {
  return guarded([=] {
    const Rule rule = adam(options, max_exp_avg_sq != nullptr, DType::float32);
    step_tensor(rule, adam_arrays({param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq}), size, step, threads);
  });
}

int adam_step_arrays(const fastadam_array* param, const fastadam_array* grad, const fastadam_array* exp_avg,
                     const fastadam_array* exp_avg_sq, const fastadam_array* max_exp_avg_sq, int64_t size, int64_t step,
                     const fastadam_adam_options* options, int threads) {
  return guarded([=] {
    const DType dtype = param ? dtype_numbered("param.dtype", param->dtype) : DType::float32;
    const fastadam_array* const all[] = {param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq};
    const size_t count = max_exp_avg_sq ? 5 : 4;
    AdamAddresses addresses{};
    for (size_t i = 0; i < count; ++i) addresses[i] = elements_of(adam_names[i], all[i], dtype);
    step_tensor(adam(options, max_exp_avg_sq != nullptr, dtype), adam_arrays(addresses), size, step, threads);
  });
}

int rule_step(const fastadam_rule* rule, float* param, const float* grad, float* const* states, int64_t size, int64_t step,
              int threads) {
  return guarded([=] {
    expect_rule(rule);
    expect_float32("rule", rule->rule.dtype);
    NamedArrays arrays = named_arrays(param, grad);
    set_states(rule->rule, arrays, states);
    step_tensor(rule->rule, arrays, size, step, threads);
  });
}

int rule_step_arrays(const fastadam_rule* rule, const fastadam_array* param, const fastadam_array* grad,
                     const fastadam_array* states, int64_t size, int64_t step, int threads) {
  return guarded([=] {
    expect_rule(rule);
    const DType dtype = rule->rule.dtype;
    NamedArrays arrays = named_arrays(elements_of("param", param, dtype), elements_of("grad", grad, dtype));
    set_states(rule->rule, arrays, states);
    step_tensor(rule->rule, arrays, size, step, threads);
  });
}

}  // namespace c_api
}  // namespace fastadam
