#include "groups.hpp"

#include <algorithm>
#include <stdexcept>

#include "../interpreter.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

const RuleInfo& rule_named(const std::string& name) {
  for (const RuleInfo& info : rules()) {
    if (info.name == name) return info;
  }
  throw std::invalid_argument("there is no rule '" + name + "'");
}

// A number of Python, or of a library: a tensor or array of one element.
double number(PyObject* object) {
  if (PyFloat_CheckExact(object)) return PyFloat_AS_DOUBLE(object);
  const double value = call_python([&] { return PyFloat_AsDouble(object); });
  if (value == -1 && PyErr_Occurred()) throw py::error_already_set();
  return value;
}

// Makes a call that throws std::invalid_argument; then its words begin with the name of the group.
template <class Call>
void naming_group(size_t index, const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument("param_groups[" + std::to_string(index) + "]: " + error.what());
  }
}

// Whether a group has a value under a key that is true.
bool is_set(PyObject* group, const py::str& key) {
  PyObject* const found = find(group, key.ptr());
  if (!found || found == Py_False || found == Py_None) return false;
  const int truth = call_python([&] { return PyObject_IsTrue(found); });
  if (truth < 0) throw py::error_already_set();
  return truth == 1;
}

}  // namespace

py::str interned(const char* text) { return py::reinterpret_steal<py::str>(PyUnicode_InternFromString(text)); }

PyObject* find(PyObject* dict, PyObject* key) {
  PyObject* const found = call_python([&] { return PyDict_GetItemWithError(dict, key); });
  if (!found && PyErr_Occurred()) throw py::error_already_set();
  return found;
}

GroupReader::GroupReader(const std::string& rule_name)
    : info_(rule_named(rule_name)),
      maximize_{interned(maximize_option.name), -1, true},
      differentiable_(interned("differentiable")),
      capturable_(interned("capturable")),
      fused_(interned("fused")),
      ema_decay_(interned(ema_option.name)),
      ema_name_(interned("ema")) {
  for (const OptionInfo& option : info_.options) {
    const auto [name, member] = hyperparameter_of(option);
    sources_.push_back({interned(name.c_str()), member, option.may_be_missing(), option.if_missing});
  }
  for (const StateInfo& state : info_.states) states_.push_back(interned(state.name));
  values_.resize(sources_.size());
}

double GroupReader::value(PyObject* group, const Source& source) const {
  PyObject* const found = find(group, source.key.ptr());
  if (!found) {
    if (source.may_be_missing) return source.if_missing;
    PyErr_SetObject(PyExc_KeyError, source.key.ptr());
    throw py::error_already_set();
  }
  const auto held = py::reinterpret_borrow<py::object>(found);
  if (source.member < 0) return number(found);
  if (PyTuple_Check(found) && PyTuple_GET_SIZE(found) == 2) return number(PyTuple_GET_ITEM(found, source.member));
  const auto member = py::reinterpret_steal<py::object>(PySequence_GetItem(found, source.member));
  if (!member) throw py::error_already_set();
  return number(member.ptr());
}

std::optional<double> GroupReader::ema_decay(PyObject* group) const {
  PyObject* const found = find(group, ema_decay_.ptr());
  if (!found || found == Py_None) return std::nullopt;
  const auto held = py::reinterpret_borrow<py::object>(found);
  return number(found);
}

bool GroupReader::is_torchs(PyObject* group) const { return is_set(group, differentiable_) || is_set(group, capturable_); }

bool GroupReader::is_fused(PyObject* group) const { return is_set(group, fused_); }

void GroupReader::read(PyObject* group, size_t index, std::vector<GroupRule>& out) const {
  for (size_t i = 0; i < sources_.size(); ++i) values_[i] = value(group, sources_[i]);
  const bool maximize = value(group, maximize_) != 0;
  const std::optional<double> decay = ema_decay(group);
  if (index == out.size()) {
    naming_group(index, [&] { out.push_back({checked_rule(info_, DType::float64, values_, maximize, decay), {}, false, {}}); });
  } else if (Rule& rule = out[index].wide; rule.options == values_ && rule.ema_decay == decay && rule.maximize == maximize) {
    return;
  } else {
    naming_group(index, [&] { rule.set_options(values_, maximize, decay); });
  }
  GroupRule& read = out[index];
  read.is_narrow_current = false;
  read.states.clear();
  for (size_t k = 0; k < states_.size(); ++k) {
    if (is_kept(info_.states[k], read.wide.flags)) read.states.push_back(states_[k].ptr());
  }
  if (read.wide.ema_decay) read.states.push_back(ema_name_.ptr());
}

void GroupReader::make(GroupRule& group, size_t index, DType dtype) const {
  if (dtype == DType::float64 || group.is_narrow_current) return;
  const Rule& wide = group.wide;
  naming_group(index, [&] {
    if (group.narrow) {
      group.narrow->set_options(wide.options, wide.maximize, wide.ema_decay);
    } else {
      group.narrow = checked_rule(info_, dtype, wide.options, wide.maximize, wide.ema_decay);
    }
  });
  group.is_narrow_current = true;
}

}  // namespace fastadam
