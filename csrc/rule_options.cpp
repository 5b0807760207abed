// A rule from the options that a user names: the last check, for callers that have made none.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

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

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

const RuleInfo& find_rule(const std::string& name) {
  std::vector<std::string> names;
  for (const RuleInfo& info : rules()) {
    if (info.name == name) return info;
    names.push_back(info.name);
  }
  throw std::invalid_argument("no rule is called '" + name + "'; expected one of " + list_of(names));
}

double value_of(const NamedOptions& options, std::string_view name) {
  const auto found = options.find(name);
  return found == options.end() ? 0 : found->second;
}

// Whether a flag is set. A term that an option of 0 leaves out must not be multiplied by it: 0 * Inf would be NaN.
bool is_set(const std::string& flag, const NamedOptions& options) {
  if (flag == "with_momentum") return value_of(options, "momentum") != 0;
  if (flag == "coupled") return value_of(options, "weight_decay") != 0 && value_of(options, "decoupled_weight_decay") == 0;
  return value_of(options, flag) != 0;
}

}  // namespace

void expect_in_range(std::string_view option, double value) {
  const char* expected = nullptr;
  if (option.substr(0, 4) == "beta" || option == "alpha") {
    if (!(value >= 0 && static_cast<float>(value) < 1)) expected = "a number in [0, 1) that does not round to 1 in float32";
  } else if (option == "dampening") {
    if (!std::isfinite(value)) expected = "a finite number";
  } else if (!(value >= 0 && std::isfinite(value))) {
    expected = "a finite number >= 0";
  }
  if (expected) throw std::invalid_argument(std::string(option) + " is " + text_of(value) + "; expected " + expected);
}

Rule make_rule(const std::string& name, const NamedOptions& options, std::optional<double> ema_decay) {
  const RuleInfo& info = find_rule(name);
  std::vector<std::string> flags;  // that users name
  for (const std::string& flag : info.flags) {
    if (flag != "with_momentum" && flag != "coupled") flags.push_back(flag);
  }
  if (info.may_decouple) flags.push_back("decoupled_weight_decay");
  for (const auto& [option, value] : options) {
    if (contains(info.options, option)) {
      expect_in_range(option, value);
    } else if (!contains(flags, option)) {
      throw std::invalid_argument("'" + option + "' is not an option of " + name + "; expected " + list_of(info.options) +
                                  " and the flags " + list_of(flags));
    } else if (value != 0 && value != 1) {
      throw std::invalid_argument(option + " is " + text_of(value) + "; expected 0 or 1");
    }
  }
  if (value_of(options, "nesterov") != 0 && (value_of(options, "momentum") == 0 || value_of(options, "dampening") != 0)) {
    throw std::invalid_argument("nesterov is 1 with momentum " + text_of(value_of(options, "momentum")) + " and dampening " +
                                text_of(value_of(options, "dampening")) + "; expected a momentum above 0 and no dampening");
  }
  Rule rule{&info, {}, 0, ema_decay};
  for (const std::string& option : info.options) {
    if (!options.contains(option))
      throw std::invalid_argument(option + " is missing; " + name + " needs " + list_of(info.options));
    rule.options.push_back(value_of(options, option));
  }
  for (size_t k = 0; k < info.flags.size(); ++k) rule.flags |= static_cast<unsigned>(is_set(info.flags[k], options)) << k;
  return rule;
}

}  // namespace fastadam
