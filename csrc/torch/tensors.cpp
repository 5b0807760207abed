#include "tensors.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "../cpu/threads.hpp"
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

// The factor by which torch's product of momenta grows in a step.
double nadam_momentum(const Rule& rule, int64_t step) {
  const double decay = std::pow(0.96, static_cast<double>(step) * rule.options[NAdam::momentum_decay]);
  return rule.options[NAdam::beta1] * (1 - 0.5 * decay);
}

PyObject* expect(PyObject* object, bool right, const char* what) {
  if (!object || !right) throw py::type_error(what);
  return object;
}

}  // namespace

TorchTensors::TorchTensors(const std::string& rule_name, Exchange exchange)
    : exchange_(std::move(exchange)),
      reader_(rule_name),
      counts_(reader_.info().id != RuleId::sgd),
      has_product_(reader_.info().id == RuleId::nadam),
      params_name_(interned("params")),
      grad_name_(interned("grad")),
      step_name_(interned("step")),
      product_name_(interned("mu_product")) {}

void TorchTensors::settle() {
  if (tensors_ && arrays_ == last_arrays_ && sizes_ == last_sizes_) return;
  tensors_.reset();
  auto fresh = std::make_unique<Tensors>(sizes_);
  for (const Arrays& arrays : arrays_) {
    fresh->add(arrays.param, {arrays.states, arrays.states + arrays.state_count}, arrays.size);
  }
  std::vector<Rule> rules;
  rules.reserve(rules_.size());
  for (const GroupRule& group : rules_) rules.push_back(group.rule);
  fresh->seal(std::move(rules));
  last_arrays_ = arrays_;
  last_sizes_ = sizes_;
  tensors_ = std::move(fresh);
}

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
  std::vector<Member> members;
  members.reserve(last_arrays_.size());
  arrays_.clear();
  sizes_.assign(groups.size(), 0);
  if (rules_.size() > groups.size()) rules_.erase(rules_.begin() + static_cast<std::ptrdiff_t>(groups.size()), rules_.end());
  py::list left;
  StateCursor cursor(state.ptr());
  Py_ssize_t number = 0;
  for (size_t g = 0; g < sizes_.size(); ++g) {
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
      const Where where{number, g, i};
      if (contains(without, number)) continue;
      if (!own_state) own_state = find(state.ptr(), param);
      if (own_state) hold(Py_NewRef(own_state));
      if (!instead.is_none()) {
        if (PyObject* const other = find(instead.ptr(), py::int_(number).ptr())) grad = other;
      }
      Member member{where, param, nullptr, nullptr, 0, {}, {}};
      const char* reason = is_torchs ? "torch" : look(grad, own_state, rules_[g], is_fused, contains(first, number), member);
      if (!reason && member.local && options.finds_norm) reason = "shard";
      if (reason) {
        left.append(where.with(reason));
      } else {
        members.push_back(member);
        ++sizes_[g];
      }
    }
  }
  if (!left.empty()) return left;

  std::optional<double> norm;
  try {
    settle();
    std::vector<std::optional<const void*>> grads;
    grads.reserve(members.size());
    py::list stepped(members.size());
    for (size_t i = 0; i < members.size(); ++i) {
      grads.emplace_back(members[i].grad);
      tensors_->steps()[i] = members[i].steps;
      PyList_SET_ITEM(stepped.ptr(), i, Py_NewRef(members[i].param));
    }
    for (const Member& member : members) {
      if (member.local) stepped.append(py::handle(member.local));
    }
    for (size_t g = 0; g < rules_.size(); ++g) tensors_->set_options(g, rules_[g].rule);
    if (only_checks) {
      tensors_->expect_apart(grads);
      return py::none();
    }
    {
      const WithoutGil released;
      norm = tensors_->step(grads, options, std::min(threads, effective_threads(0)));
    }
    for (const Member& member : members) {
      if (member.step) member.step.change(1, 1);
      if (has_product_) member.product.change(nadam_momentum(rules_[member.where.group].rule, member.steps + 1), 0);
    }
    ++step_count_;
    versions_.increment(stepped);
  } catch (const Refusal& refusal) {
    const bool aliased = refusal.reason == "overlap" && refusal.place.role == grad_role;
    const char* const reason = aliased ? "aliased" : refusal.reason == "overlap" ? "overlap" : "state";
    left.append(members[refusal.place.tensor].where.with(reason));
    if (!aliased && refusal.other.tensor != refusal.place.tensor) {
      left.append(members[refusal.other.tensor].where.with(reason));
    }
    return left;
  }
  return norm ? py::object(py::float_(*norm)) : py::object(py::none());
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
  for (const StateInfo& state : rules[0].rule.states())
    states.emplace_back(state.name, rules[0].rule.start_of(state).value_or(0));
  if (rules[0].rule.ema_decay) states.emplace_back(reader_.ema_name(), 0);
  return states;
}

}  // namespace fastadam
