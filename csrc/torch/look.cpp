// How a parameter is looked at before a step: whether the kernels can step it, and where its arrays are.
#include <utility>

#include "tensors.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

constexpr double last_step = 9007199254740992.0;  // 2**53: a float64 counts no further

}  // namespace

const char* TorchTensors::look_at_scalars(PyObject* state, bool counts, TorchMember& member) const {
  for (const auto& [name, scalar] : {std::pair{&step_name_, &member.step}, {&product_name_, &member.product}}) {
    if (!(name == &step_name_ ? counts : has_product_)) continue;
    PyObject* const found = find(state, name->ptr());
    TensorView view;
    if (!found && !counts_) return "missing";  // SGD's, which has none in torch
    if (!found || !exchange_.view(found, view) || view.local || !view.is_scalar()) return "state";
    if (view.device != TensorView::cpu) return "missing";  // as a state dict of torch's fused optimizers may have it
    *scalar = {view.memory, view.bits == 64};
  }
  if (!counts) return nullptr;
  const double steps = member.step.get();
  if (!(steps >= 0 && steps < last_step)) return "state";
  member.steps = static_cast<int64_t>(steps);
  return nullptr;
}

DeviceTensors& TorchTensors::on(int device, DType dtype) {
  const auto found = devices_.find({device, dtype});
  if (found != devices_.end()) return found->second;
  const py::object gpu = device == TensorView::cpu ? py::object() : gpu_steps_(device, name_of(dtype));
  DeviceTensors& made = devices_.try_emplace({device, dtype}, dtype, gpu).first->second;
  made.begin(group_count_);
  return made;
}

const char* TorchTensors::look(PyObject* grad, PyObject* state, GroupRule& rule, bool is_fused, bool is_first, bool finds_norm,
                               TorchMember& member) {
  TensorView param, view;
  if (!exchange_.view(member.param, param)) return "type";
  if (!param.is_floats()) return "memory";
  if (!param.is_dense()) return "layout";
  const Kind kind{param.device, param.dtype()};
  DeviceTensors& device = on(kind.first, kind.second);
  if (!device.is_usable()) return "gpu";
  reader_.make(rule, member.where.group, kind.second);
  if (finds_norm && param.local) return "shard";
  if (finds_norm && kind != first_kind_.value_or(kind)) return "apart";
  first_kind_ = kind;
  member.local = param.local.ptr();
  hold_local(param);
  TorchArrays arrays{param.memory, {}, 0, param.size()};
  // One that was not in the last step may be lazy, and so may a single number or complex ones, whatever their strides.
  if (is_fused && (param.is_complex() || param.device >= 0)) return "fused";  // torch refuses it, or counts on the GPU
  const bool suspicious = param.is_complex() || arrays.size == 1 || !device.has_next(arrays.param);
  if (suspicious && is_lazy(member.param, param)) return "lazy";
  if (!exchange_.view(grad, view) || !view.matches(param) || is_lazy(grad, view)) return "grad";
  member.grad = view.memory;
  hold_local(view);
  member.steps = is_first ? 0 : 1;
  if (counts_ || !rule.states.empty()) {
    if (!state || !PyDict_Check(state) || PyDict_GET_SIZE(state) == 0) return "missing";
    if (const char* const reason = look_at_scalars(state, counts(rule), member)) return reason;
    for (PyObject* const name : rule.states) {
      PyObject* const found = find(state, name);
      if (!found && name == reader_.ema_name().ptr()) return "missing";
      if (!counts_ && (!found || found == Py_None)) {  // SGD's buffer
        return member.step && member.steps > 0 ? "late" : "missing";
      }
      if (!found || !exchange_.view(found, view) || !view.matches(param) || (suspicious && is_lazy(found, view)))
        return "state";
      touched_.push_back(Py_NewRef(found));
      hold_local(view);
      arrays.states[arrays.state_count++] = view.memory;
    }
  }
  device.add(arrays, member);
  return nullptr;
}

}  // namespace fastadam
