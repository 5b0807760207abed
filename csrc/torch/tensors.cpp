#include "tensors.hpp"

#include <utility>

#include "../interpreter.hpp"
#include "../rules/registry.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

// Goes through the state of an optimizer beside its parameters. Nearly always both have the same order, and then no tensor need
// be hashed, which takes a call of Python.
class StateCursor {
 public:
  explicit StateCursor(PyObject* states) : states_(states) { advance(); }

  // The state of the next parameter, borrowed, if it is the next in the dict.
  PyObject* next(PyObject* param) {
    if (!key_ || key_ != param) return nullptr;
    PyObject* const found = value_;
    advance();
    return found;
  }

 private:
  void advance() {
    if (!PyDict_Next(states_, &position_, &key_, &value_)) key_ = nullptr;
  }

  PyObject* states_;
  Py_ssize_t position_ = 0;
  PyObject *key_ = nullptr, *value_ = nullptr;
};

bool contains(const py::object& numbers, Py_ssize_t number) {
  if (numbers.is_none()) return false;
  const int found = PySequence_Contains(numbers.ptr(), py::int_(number).ptr());
  if (found < 0) throw py::error_already_set();
  return found == 1;
}

PyObject* expect(PyObject* object, bool right, const char* what) {
  if (!object || !right) throw py::type_error(what);
  return object;
}

}  // namespace

TorchTensors::TorchTensors(const std::string& rule_name, Exchange exchange, py::object gpu_steps)
    : exchange_(std::move(exchange)),
      gpu_steps_(std::move(gpu_steps)),
      reader_(rule_name),
      counts_(reader_.info().id != RuleId::sgd),
      has_product_(reader_.info().id == RuleId::nadam),
      params_name_(interned("params")),
      grad_name_(interned("grad")),
      step_name_(interned("step")),
      product_name_(interned("mu_product")) {}

py::object TorchTensors::step(const py::list& groups, const py::dict& state, const StepOptions& options, int threads,
                              const py::object& without, const py::object& instead, const py::object& first, bool only_checks) {
  const Turns::Turn turn(turns_);
  struct Release {
    std::vector<PyObject*>& touched;
    ~Release() {
      for (PyObject* const object : touched) Py_DECREF(object);
      touched.clear();
    }
  } const release{touched_};
  const auto hold = [&](PyObject* object) {
    touched_.push_back(object);
    return object;
  };
  group_count_ = groups.size();
  for (auto& [kind, device] : devices_) device.begin(group_count_);
  first_kind_.reset();
  if (rules_.size() > group_count_) rules_.erase(rules_.begin() + static_cast<std::ptrdiff_t>(group_count_), rules_.end());
  py::list left;
  StateCursor cursor(state.ptr());
  Py_ssize_t number = 0;
  for (size_t g = 0; g < group_count_; ++g) {
    PyObject* const group = PyList_GET_ITEM(groups.ptr(), g);
    expect(group, PyDict_Check(group), "a param_group is not a dict");
    hold(Py_NewRef(group));
    reader_.read(group, g, rules_);
    const bool is_torchs = reader_.is_torchs(group), is_fused = reader_.is_fused(group);
    PyObject* const params = find(group, params_name_.ptr());
    hold(Py_NewRef(expect(params, params && PyList_Check(params), "a param_group's 'params' is not a list")));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(params); ++i, ++number) {
      PyObject* const param = hold(Py_NewRef(PyList_GET_ITEM(params, i)));
      PyObject* own_state = cursor.next(param);
      if (own_state) hold(Py_NewRef(own_state));
      PyObject* grad = call_python([&] { return PyObject_GetAttr(param, grad_name_.ptr()); });
      if (!grad) throw py::error_already_set();
      hold(grad);
      if (grad == Py_None) continue;
      const TorchPlace where{number, g, i};
      if (contains(without, number)) continue;
      if (!own_state) own_state = find(state.ptr(), param);
      if (own_state) hold(Py_NewRef(own_state));
      if (!instead.is_none()) {
        if (PyObject* const other = find(instead.ptr(), py::int_(number).ptr())) grad = other;
      }
      TorchMember member{where, param, nullptr, nullptr, 0, {}, {}};
      const bool is_first = contains(first, number);
      const char* const reason =
          is_torchs ? "torch" : look(grad, own_state, rules_[g], is_fused, is_first, options.finds_norm, member);
      if (reason) left.append(where.with(reason));
    }
  }
  if (!left.empty()) return left;
  return step_devices(options, threads, only_checks, left);
}

std::vector<std::pair<std::string, double>> TorchTensors::scalars(const py::dict& group) const {
  std::vector<GroupRule> rules;
  reader_.read(group.ptr(), 0, rules);
  std::vector<std::pair<std::string, double>> scalars;
  if (counts(rules[0])) scalars.emplace_back(step_name_, 0);
  if (has_product_) scalars.emplace_back(product_name_, 1);
  return scalars;
}

std::vector<std::pair<std::string, double>> TorchTensors::states(const py::dict& group) const {
  std::vector<GroupRule> rules;
  reader_.read(group.ptr(), 0, rules);
  std::vector<std::pair<std::string, double>> states;
  const Rule& rule = rules[0].wide;
  for (const StateInfo& state : rule.states()) states.emplace_back(state.name, rule.start_of(state).value_or(0));
  if (rule.ema_decay) states.emplace_back(reader_.ema_name(), 0);
  return states;
}

}  // namespace fastadam
