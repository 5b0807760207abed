// The parameters and the state of an optimizer of torch.optim, as memory for the kernels.
#pragma once

#include <pybind11/pybind11.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../turn.hpp"
#include "device_tensors.hpp"
#include "exchange.hpp"
#include "groups.hpp"
#include "members.hpp"
#include "versions.hpp"

namespace fastadam {

// Reads all addresses and options anew in each step, and keeps no tensor alive from one step to the next.
class TorchTensors {
 public:
  // `gpu_steps` takes the number of a GPU and a type of elements and returns a GpuSteps of fastadam.torch.on_gpu; None if they
  // cannot be stepped there.
  TorchTensors(const std::string& rule_name, Exchange exchange, pybind11::object gpu_steps);

  // One step of every parameter that has a gradient, or changes nothing and returns a list with a tuple (number, group, index
  // in the group, reason) for each that cannot be stepped like this. Their numbers go over all groups. fastadam.torch.leftovers
  // has the reasons. Otherwise returns the norm, if the options ask for it, or None: a number, or on a GPU a tensor there.
  // Releases the GIL while the CPU's kernels run, and does not wait for a GPU's.
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
  // Nothing if the parameter can be stepped, and then adds it to those of its device and type; else the reason.
  const char* look(PyObject* grad, PyObject* state, GroupRule& rule, bool is_fused, bool is_first, bool finds_norm,
                   TorchMember& member);
  // Keeps the memory of a tensor that is spread over processes until the end of the step.
  void hold_local(const TensorView& view) {
    if (view.local) touched_.push_back(Py_NewRef(view.local.ptr()));
  }
  // The same for its numbers.
  const char* look_at_scalars(PyObject* state, bool counts, TorchMember& member) const;
  // Whether the steps of a group's parameters are counted in their state.
  bool counts(const GroupRule& rule) const { return counts_ || rule.wide.ema_decay; }
  // The step of the parameters that were looked at, as step() returns it; `left` is an empty list.
  pybind11::object step_devices(const StepOptions& options, int threads, bool only_checks, pybind11::list left);
  // The parameters of the step, with the parts of those that are spread over processes.
  pybind11::list tensors_to_step() const;
  // What steps the tensors of a type on a device.
  DeviceTensors& on(int device, DType dtype);
  // Whether a tensor that matches the parameter has other numbers than its memory says. Costs a call of Python.
  bool is_lazy(PyObject* tensor, const TensorView& view) const { return exchange_.is_lazy(tensor, view); }

  Exchange exchange_;
  const pybind11::object gpu_steps_;
  TensorVersions versions_;
  GroupReader reader_;
  const bool counts_, has_product_;
  const pybind11::str params_name_, grad_name_, step_name_, product_name_;

  Turns turns_;
  int64_t step_count_ = 0;
  std::vector<GroupRule> rules_;
  using Kind = std::pair<int, DType>;      // a device, by its number in TensorView, and a type of elements
  size_t group_count_ = 0;                 // of the current step
  std::map<Kind, DeviceTensors> devices_;  // those of the CPU come first
  std::optional<Kind> first_kind_;         // of the first parameter of the current step
  std::vector<PyObject*> touched_;         // what the current step saw and owns until its end
};

}  // namespace fastadam
