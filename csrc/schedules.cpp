#include "schedules.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <stdexcept>

#include "interpreter.hpp"
#include "refusal.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

// Whether it is a number of Python in the range of an option. -0 is left to Python, for which it is not 0.
bool is_number(PyObject* object, const OptionInfo& option, DType dtype) {
  if (!PyFloat_CheckExact(object)) return false;
  const double value = PyFloat_AS_DOUBLE(object);
  return is_in_range(option, value, dtype) && !std::signbit(value);
}

double number(PyObject* value) { return PyBool_Check(value) ? value == Py_True : PyFloat_AsDouble(value); }

}  // namespace

Schedules::Option Schedules::option_of(const RuleInfo& info, const std::string& name) {
  if (name == maximize_option.name) return {Kind::maximize, maximize_option, 0, 0};
  if (name == ema_option.name) return {Kind::ema_decay, ema_option, 0, 0};
  std::optional<Option> found;
  for (size_t i = 0; i < info.options.size(); ++i) {
    const auto [own, member] = hyperparameter_of(info.options[i]);
    if (own != name) continue;
    if (found) {
      found->next = i;
    } else {
      const Kind kind = info.options[i].range == Range::flag ? Kind::flag : Kind::number;
      found = {member < 0 ? kind : Kind::pair, info.options[i], i, i};
    }
  }
  if (!found) throw std::invalid_argument("'" + name + "' is not a hyperparameter of " + info.name);
  return *found;
}

Schedules::Schedules(const std::vector<Rule>& rules, const std::vector<Use>& uses)
    : dtype_(rules.at(0).dtype), values_(result_of([] { return PyUnicode_InternFromString("values"); })) {
  std::map<size_t, std::vector<size_t>> of_groups;
  for (const auto& [name, groups] : uses) {
    for (const size_t group : groups) of_groups[group].push_back(options_.size());
    options_.push_back(option_of(*rules.at(groups.at(0)).info, name));
  }
  groups_.assign(of_groups.begin(), of_groups.end());
}

bool Schedules::is_value(PyObject* object, const Option& option) const {
  switch (option.kind) {
    case Kind::flag:
    case Kind::maximize:
      return PyBool_Check(object);
    case Kind::pair:
      return PyTuple_CheckExact(object) && PyTuple_GET_SIZE(object) == 2 &&
             is_number(PyTuple_GET_ITEM(object, 0), option.info, dtype_) &&
             is_number(PyTuple_GET_ITEM(object, 1), option.info, dtype_);
    case Kind::number:
    case Kind::ema_decay:
      break;
  }
  return is_number(object, option.info, dtype_);
}

py::tuple Schedules::ask(const py::tuple& asks, const py::int_& count) const {
  if (asks.size() != options_.size()) throw std::invalid_argument("expected a schedule for each use");
  py::tuple values(options_.size());
  PyObject* schedule = nullptr;
  py::object returned;
  for (size_t i = 0; i < options_.size(); ++i) {
    PyObject* const ask = PyTuple_GET_ITEM(asks.ptr(), i);
    if (PyTuple_GET_ITEM(ask, 0) != schedule) {
      schedule = PyTuple_GET_ITEM(ask, 0);
      returned = result_of([&] { return PyObject_CallOneArg(schedule, count.ptr()); });
    }
    py::object value = returned;
    if (!is_value(returned.ptr(), options_[i])) {
      PyObject* const check = PyTuple_GET_ITEM(ask, 1);
      value = result_of([&] { return PyObject_CallFunctionObjArgs(check, returned.ptr(), count.ptr(), nullptr); });
    }
    PyTuple_SET_ITEM(values.ptr(), i, value.release().ptr());
  }
  return values;
}

void Schedules::set(const py::tuple& values, const std::function<Rule&(size_t)>& rule_of) const {
  if (values.size() != options_.size()) throw std::invalid_argument("expected a value for each use");
  for (const auto& [group, uses] : groups_) {
    Rule& rule = rule_of(group);
    std::vector<double> options = rule.options;
    bool maximize = rule.maximize;
    std::optional<double> ema_decay = rule.ema_decay;
    for (const size_t use : uses) {
      const Option& option = options_[use];
      PyObject* const value = PyTuple_GET_ITEM(values.ptr(), use);
      if (option.kind == Kind::maximize) {
        maximize = value == Py_True;
      } else if (option.kind == Kind::ema_decay) {
        ema_decay = value == Py_None ? std::nullopt : std::optional(number(value));
      } else if (option.kind == Kind::pair) {
        options[option.index] = number(PyTuple_GET_ITEM(value, 0));
        options[option.next] = number(PyTuple_GET_ITEM(value, 1));
      } else {
        options[option.index] = number(value);
      }
    }
    if (PyErr_Occurred()) throw py::error_already_set();
    try {
      Rule next = checked_rule(*rule.info, rule.dtype, std::move(options), maximize, ema_decay);
      if (!next.keeps_states_of(rule)) throw Refusal("schedules", {param_role, 0});
      rule = std::move(next);
    } catch (const std::invalid_argument&) {
      throw Refusal("schedules", {param_role, 0});
    }
  }
}

void Schedules::note(const py::object& self, const py::tuple& values) const {
  if (PyObject_SetAttr(self.ptr(), values_.ptr(), values.ptr()) < 0) throw py::error_already_set();
}

}  // namespace fastadam
