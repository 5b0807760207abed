// Makes a rule from a user's options and checks them, for callers that have not. Each rule's header declares what it accepts;
// nothing here depends on a particular rule.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <utility>

#include "rule.hpp"

namespace fastadam {
namespace {

std::string text_of(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", value);
  return text;
}

std::string list_of(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "'" : ", '") + name + "'";
  return list;
}

// The names of the options that are flags, or of those that are not.
std::vector<std::string> names_of(const RuleInfo& info, bool flags) {
  std::vector<std::string> names;
  for (const OptionInfo& option : info.options) {
    if ((option.range == Range::flag) == flags) names.emplace_back(option.name);
  }
  if (flags) names.emplace_back(maximize_option.name);
  return names;
}

const RuleInfo& find_rule(const std::string& name) {
  std::vector<std::string> names;
  for (const RuleInfo& info : rules()) {
    if (info.name == name) return info;
    names.push_back(info.name);
  }
  throw std::invalid_argument("there is no rule '" + name + "'; expected one of " + list_of(names));
}

// Not by a conversion, which would depend on the caller's rounding mode. The bound is halfway between the largest float32 and
// the power of two above it.
bool is_finite_in_float32(double value) { return std::abs(value) < 0x1.ffffffp127; }

// What a value is expected to be for elements of a type, if it is something else; else null.
const char* expected_of(Range range, double value, DType dtype) {
  constexpr const char* finite = "a number that is finite in float32, at most 3.4028235e+38";
  const bool fits = dtype == DType::float64 || is_finite_in_float32(value);
  switch (range) {
    case Range::non_negative:
      if (!(value >= 0 && std::isfinite(value))) return "a finite number >= 0";
      return fits ? nullptr : finite;
    case Range::decay_rate:
      if (!(value >= 0 && value < 1)) return "a number in [0, 1)";
      if (dtype == DType::float64 || static_cast<float>(value) < 1) return nullptr;
      return "a number in [0, 1) that does not round to 1 in float32";
    case Range::finite:
      if (!std::isfinite(value)) return "a finite number";
      return fits ? nullptr : finite;
    case Range::flag:
      break;
  }
  return value == 0 || value == 1 ? nullptr : "0 or 1";
}

void expect_in_range(const OptionInfo& option, double value, DType dtype) {
  const char* const expected = expected_of(option.range, value, dtype);
  if (expected) throw std::invalid_argument(std::string(option.name) + " is " + text_of(value) + "; expected " + expected);
}

// As they are kept: without -0, by which the sign of a zero would differ from Python's.
std::vector<double> valid(const RuleInfo& info, DType dtype, std::vector<double> options) {
  for (size_t i = 0; i < info.options.size(); ++i) {
    expect_in_range(info.options[i], options[i], dtype);
    if (options[i] == 0) options[i] = 0;
  }
  if (const char* problem = info.conflict(options.data())) throw std::invalid_argument(problem);
  return options;
}

}  // namespace

bool is_in_range(const OptionInfo& option, double value, DType dtype) { return !expected_of(option.range, value, dtype); }

Hyperparameter hyperparameter_of(const OptionInfo& option) {
  const std::string name = option.name;
  if (name == "beta1" || name == "beta2") return {"betas", name.back() - '1'};
  return {name, -1};
}

void Rule::set_options(std::vector<double> values, bool maximizes, std::optional<double> decay_of_ema) {
  if (decay_of_ema) expect_in_range(ema_option, *decay_of_ema, dtype);
  options = valid(*info, dtype, std::move(values));
  flags = info->flags_of(options.data());
  maximize = maximizes;
  ema_decay = decay_of_ema;
}

Rule checked_rule(const RuleInfo& info, DType dtype, std::vector<double> options, bool maximize,
                  std::optional<double> ema_decay) {
  Rule rule{&info, dtype, {}, 0};
  rule.set_options(std::move(options), maximize, ema_decay);
  return rule;
}

Rule make_rule(const std::string& name, const NamedOptions& options, DType dtype) {
  const RuleInfo& info = find_rule(name);
  const auto known = [&](const std::string& option) {
    return option == maximize_option.name || option == ema_option.name ||
           std::any_of(info.options.begin(), info.options.end(), [&](const OptionInfo& each) { return each.name == option; });
  };
  for (const auto& [option, value] : options) {
    if (!known(option)) {
      throw std::invalid_argument("'" + option + "' is not an option of " + name + "; expected " +
                                  list_of(names_of(info, false)) + " and the flags " + list_of(names_of(info, true)) +
                                  "; every rule also has 'ema_decay'");
    }
  }
  std::vector<double> values;
  for (const OptionInfo& option : info.options) {
    const auto given = options.find(option.name);
    if (given == options.end() && !option.may_be_missing()) {
      throw std::invalid_argument(std::string(option.name) + " is missing; " + name + " needs " +
                                  list_of(names_of(info, false)));
    }
    values.push_back(given == options.end() ? option.if_missing : given->second);
  }
  const auto common = [&](const OptionInfo& option) -> std::optional<double> {
    const auto given = options.find(option.name);
    if (given == options.end()) return std::nullopt;
    expect_in_range(option, given->second, dtype);
    return given->second;
  };
  return checked_rule(info, dtype, values, common(maximize_option).value_or(0) != 0, common(ema_option));
}

}  // namespace fastadam
