// Schedules: hyperparameters that are functions of the number of steps. A step asks them and sets the options of rules in
// place, without a rule or a dict of Python.
#pragma once

#include <pybind11/pybind11.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "instances.hpp"
#include "rule.hpp"

namespace fastadam {

// Knows which options of which groups the values of schedules are. The schedules themselves are Python's.
class Schedules {
 public:
  // A hyperparameter and the groups in which one schedule gives its value.
  using Use = std::pair<std::string, std::vector<size_t>>;

  // `rules` has the rule of each group.
  Schedules(const std::vector<Rule>& rules, const std::vector<Use>& uses);

  // The value of each use after `count` steps. `asks` has a pair for each: the schedule, and a function that takes what it
  // returned and the count, and returns the value that is meant or raises. The latter is not called for what is a value
  // already. A schedule that comes several times in a row is asked once.
  pybind11::tuple ask(const pybind11::tuple& asks, const pybind11::int_& count) const;

  // Sets the options of the rules that `rule_of` has for groups. Throws Refusal("schedules") if values do not go together or
  // need other states; then rules of other groups may be set.
  void set(const pybind11::tuple& values, const std::function<Rule&(size_t)>& rule_of) const;

  // Notes that a step by these values is done, as the attribute `values` of `self`, the Python object that owns this one. Runs
  // no code of Python's, so that no signal comes between the two.
  void note(const pybind11::object& self, const pybind11::tuple& values) const;

 private:
  enum class Kind { number, flag, pair, maximize, ema_decay };
  struct Option {
    Kind kind;
    OptionInfo info;     // of a pair, the first one's
    size_t index, next;  // in the rule; `next` of a pair
  };

  static Option option_of(const RuleInfo& info, const std::string& name);

  // Whether an object that a schedule returned is a value as it is.
  bool is_value(PyObject* object, const Option& option) const;

  DType dtype_;                                                 // of all rules
  std::vector<Option> options_;                                 // of each use
  std::vector<std::pair<size_t, std::vector<size_t>>> groups_;  // those with schedules, and their uses
  pybind11::object values_;                                     // the attribute's name
};

}  // namespace fastadam

template <>
class pybind11::detail::type_caster<fastadam::Schedules> : public fastadam::InitializedCaster<fastadam::Schedules> {};
