// Rules.
#include <algorithm>
#include <optional>
#include <stdexcept>
#include <vector>

#include "checks.hpp"
#include "functions.hpp"

namespace fastadam {
namespace {

fastadam_rule* new_rule(const char* name, const fastadam_option* options, int count, DType dtype) {
  if (!name) refuse("name", "is NULL", "the name of a rule");
  if (count < 0 || (count > 0 && !options)) refuse("options", "is NULL or count is negative", "count options, at least 0");
  NamedOptions named;
  for (int i = 0; i < count; ++i) {
    if (!options[i].name) refuse("options", "has an option whose name is NULL", "the names of options");
    named[options[i].name] = options[i].value;
  }
  const Rule rule = make_rule(name, named, dtype);
  return new fastadam_rule{named, rule};
}

template <class Number>
void init_states(const Rule& rule, const NamedArrays& arrays, int64_t size) {
  std::vector<std::optional<double>> starts;  // the average begins with zeros
  for (const StateInfo& state : rule.states()) starts.push_back(rule.start_of(state));
  starts.resize(rule.array_count(), 0.0);
  for (size_t k = 0; k < starts.size(); ++k) {
    expect_usable(arrays[state_role + k].name, arrays[state_role + k].memory, size, rule.dtype);
    if (!starts[k]) expect_usable("param", arrays[param_role].memory, size, rule.dtype);
  }
  for (size_t k = 0; k < starts.size(); ++k) {
    Number* const state = static_cast<Number*>(const_cast<void*>(arrays[state_role + k].memory));
    if (starts[k]) {
      std::fill_n(state, size, static_cast<Number>(*starts[k]));
    } else {
      std::copy_n(static_cast<const Number*>(arrays[param_role].memory), size, state);
    }
  }
}

}  // namespace

namespace c_api {

fastadam_rule* rule_new(const char* name, const fastadam_option* options, int count) {
  return rule_new_for(FASTADAM_FLOAT32, name, options, count);
}

fastadam_rule* rule_new_for(int dtype, const char* name, const fastadam_option* options, int count) {
  fastadam_rule* created = nullptr;
  guarded([&] { created = new_rule(name, options, count, dtype_numbered("dtype", dtype)); });
  return created;
}

int rule_set(fastadam_rule* rule, const char* option, double value) {
  return guarded([=] {
    expect_rule(rule);
    if (!option) refuse("option", "is NULL", "the name of an option");
    NamedOptions changed = rule->options;
    changed[option] = value;
    rule->rule = make_rule(rule->rule.info->name, changed, rule->rule.dtype);
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

int rule_init_states(const fastadam_rule* rule, const float* param, float* const* states, int64_t size) {
  return guarded([=] {
    expect_rule(rule);
    expect_float32("rule", rule->rule.dtype);
    NamedArrays arrays = named_arrays(param, nullptr);
    set_states(rule->rule, arrays, states);
    init_states<float>(rule->rule, arrays, size);
  });
}

int rule_init_states_arrays(const fastadam_rule* rule, const fastadam_array* param, const fastadam_array* states,
                            int64_t size) {
  return guarded([=] {
    expect_rule(rule);
    NamedArrays arrays = named_arrays(elements_of("param", param, rule->rule.dtype), nullptr);
    set_states(rule->rule, arrays, states);
    (rule->rule.dtype == DType::float32 ? init_states<float> : init_states<double>)(rule->rule, arrays, size);
  });
}

}  // namespace c_api
}  // namespace fastadam
