// The parameters and the state of an optimizer of torch.optim, as memory for the kernels.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../cpu/tensors.hpp"
#include "exchange.hpp"
#include "groups.hpp"
#include "versions.hpp"

namespace fastadam {

// Reads all addresses and options anew in each step, and keeps no tensor alive from one step to the next: what it remembers are
// the addresses of the last step, so that it need not sort and compare them again while they are the same.
class TorchTensors {
 public:
  TorchTensors(const std::string& rule_name, Exchange exchange);

  // One step of every parameter that has a gradient, or changes nothing and returns a list with a tuple (number, group, index
  // in the group, reason) for each that cannot be stepped like this. Their numbers go over all groups. fastadam.torch.leftovers
  // has the reasons. Otherwise returns the norm, if the options ask for it, or None. Releases the GIL while the kernels run.
  //
  // `without`: the numbers of parameters to leave out. `instead`: gradients, by number, in place of the parameters' own.
  // `first`: the numbers of those whose state was just made, which matters to SGD. Each may be None. `only_checks`: stop
  // before the first write.
  pybind11::object step(const pybind11::list& groups, const pybind11::dict& state, const StepOptions& options, int threads,
                        const pybind11::object& without, const pybind11::object& instead, const pybind11::object& first,
                        bool only_checks);

  // The names of the states of a group's parameters, with their initial values.
  std::vector<std::pair<std::string, double>> states(const pybind11::dict& group) const;

  // The names of the numbers that are kept beside them, with their initial values. They are torch's, but for SGD's count, which
  // only an average needs.
  std::vector<std::pair<std::string, double>> scalars(const pybind11::dict& group) const;

  // How many steps were taken.
  int64_t step_count() const { return step_count_; }

 private:
  // The arrays of a parameter, by which the steps of the same parameters are told.
  struct Arrays {
    float* param;
    float* states[max_states + 1];  // with the average
    int state_count;
    int64_t size;
    bool operator==(const Arrays&) const = default;
  };

  // A 0-d tensor.
  struct Scalar {
    void* memory = nullptr;
    bool is_double = false;
    double get() const { return is_double ? *static_cast<double*>(memory) : double{*static_cast<float*>(memory)}; }
    // Multiplies and then adds, in the tensor's type, as torch does.
    void change(double factor, double term) const;
    explicit operator bool() const { return memory != nullptr; }
  };

  // The number of a parameter, its group, and its index there.
  struct Where {
    Py_ssize_t number;
    size_t group;
    Py_ssize_t index;
    pybind11::tuple with(const char* reason) const { return pybind11::make_tuple(number, group, index, reason); }
  };

  // A parameter of this step.
  struct Member {
    Where where;
    PyObject* param;
    PyObject* local;  // of this process, of a parameter that is spread over several; else null
    const float* grad;
    int64_t steps;
    Scalar step, product;
  };

  // Nothing if the parameter can be stepped, and then adds it to the arrays; else the reason.
  const char* look(PyObject* grad, PyObject* state, const GroupRule& rule, bool is_fused, bool is_first, Member& member);
  // Keeps the memory of a tensor that is spread over processes until the end of the step.
  void hold_local(const TensorView& view) {
    if (view.local) touched_.push_back(Py_NewRef(view.local.ptr()));
  }
  const char* look_at_scalars(PyObject* state, bool counts, Member& member) const;
  // Whether the steps of a group's parameters are counted in their state.
  bool counts(const GroupRule& rule) const { return counts_ || rule.rule.ema_decay; }
  // Makes tensors_ anew if the arrays of the step are not those of the last one. Throws Refusal.
  void settle();
  // Whether a tensor that matches the parameter has other numbers than its memory says. Costs a call of Python.
  bool is_lazy(PyObject* tensor, const TensorView& view) const { return exchange_.is_lazy(tensor, view); }

  Exchange exchange_;
  TensorVersions versions_;
  GroupReader reader_;
  const bool counts_, has_product_;
  const pybind11::str params_name_, grad_name_, step_name_, product_name_;

  Turns turns_;
  int64_t step_count_ = 0;
  std::vector<GroupRule> rules_;
  std::vector<Arrays> arrays_, last_arrays_;
  std::vector<size_t> sizes_, last_sizes_;  // how many parameters of each group are stepped
  std::vector<PyObject*> touched_;          // what the current step saw and owns until its end
  std::unique_ptr<Tensors> tensors_;
};

}  // namespace fastadam
