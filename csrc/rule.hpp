// A rule chosen at run time, with its options: the host side of csrc/rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "coefficients.hpp"
#include "dtype.hpp"
#include "rules/description.hpp"
#include "storage.hpp"

namespace fastadam {

enum class RuleId;

// The registry's description of a rule.
struct RuleInfo {
  RuleId id;
  std::string name;
  std::string type_name;            // of its C++ struct
  std::vector<OptionInfo> options;  // in the order of the rule's Option enum
  std::vector<StateInfo> states;    // with all flags set, in order
  unsigned (*flags_of)(const double* options);
  const char* (*conflict)(const double* options);  // what is wrong with their combination, or nullptr
};

// Every rule of this build.
const std::vector<RuleInfo>& rules();
const RuleInfo& rule_info(RuleId id);

// For each rule that csrc/cuda compiles, the name of its struct and how many combinations of flags it has.
std::map<std::string, unsigned> cuda_variants();

struct Rule {
  const RuleInfo* info;
  DType dtype;  // of the elements that it is for
  std::vector<double> options;
  unsigned flags;
  bool maximize = false;                 // the objective, instead of minimizing it
  std::optional<double> ema_decay = {};  // of the average of the parameter, if there is one
  Storage storage = {};

  // Its states, in order.
  std::vector<StateInfo> states() const;
  int state_count() const;

  // How many arrays a parameter has beside its gradient: its states and, if there is one, its average, which is the last.
  int array_count() const { return state_count() + ema_decay.has_value(); }

  // The coefficients of step `step` >= 1, computed in the default floating-point environment.
  Coefficients at_step(int64_t step) const;

  // The coefficients of the average; requires `ema_decay`.
  Coefficients average_at_step(int64_t step) const;

  // Changes what a rule is made of, as checked_rule() takes it. Throws std::invalid_argument and changes nothing if it is
  // invalid.
  void set_options(std::vector<double> values, bool maximizes, std::optional<double> decay_of_ema);

  // Throws std::invalid_argument if 8 bits are too few for one of its states.
  void set_storage(const Storage& chosen);

  // Whether it keeps the same states as another rule, of the same type and with the same initial values.
  bool keeps_states_of(const Rule& other) const;

  // The initial value of a state's elements; none if the state starts as a copy of the parameter.
  std::optional<double> start_of(const StateInfo& state) const;
};

// What users set an option by: a hyperparameter, or a member of one that is a pair ("betas" has beta1 and beta2).
struct Hyperparameter {
  std::string name;
  int member;  // -1: the value itself
};
Hyperparameter hyperparameter_of(const OptionInfo& option);

// Those of every rule. There is no average without ema_decay.
constexpr OptionInfo maximize_option{"maximize", Range::flag};
constexpr OptionInfo ema_option{"ema_decay", Range::decay_rate};

bool is_in_range(const OptionInfo& option, double value, DType dtype);

// Options by the names that users know. Those that a rule does not require are 0 if left out.
using NamedOptions = std::map<std::string, double, std::less<>>;

// The rule with options in the order of its Option enum; throws std::invalid_argument if they are invalid.
Rule checked_rule(const RuleInfo& info, DType dtype, std::vector<double> options, bool maximize,
                  std::optional<double> ema_decay);

// The same by name. "maximize" and "ema_decay" are options of every rule; without the latter there is no average. Also throws
// if the rule is unknown, or an option is missing or unknown.
Rule make_rule(const std::string& name, const NamedOptions& options, DType dtype = DType::float32);

}  // namespace fastadam
