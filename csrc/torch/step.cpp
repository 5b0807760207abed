// How a step is taken, once its parameters have been looked at: what may fail comes first, on all devices.
#include <cmath>
#include <optional>
#include <vector>

#include "../rules/registry.hpp"
#include "tensors.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

// The factor by which torch's product of momenta grows in a step.
double nadam_momentum(const Rule& rule, int64_t step) {
  const double decay = std::pow(0.96, static_cast<double>(step) * rule.options[NAdam::momentum_decay]);
  return rule.options[NAdam::beta1] * (1 - 0.5 * decay);
}

}  // namespace

py::object TorchTensors::step_devices(const StepOptions& options, int threads, bool only_checks, py::list left) {
  // Whether a call for the tensors of a device has refused none of them; else they are in `left`.
  const auto takes = [&](const DeviceTensors& device, auto call) {
    try {
      call();
      return true;
    } catch (const Refusal& refusal) {
      const bool aliased = refusal.reason == "overlap" && refusal.place.role == grad_role;
      const char* const reason = aliased ? "aliased" : refusal.reason == "overlap" ? "overlap" : "state";
      left.append(device.members()[refusal.place.tensor].where.with(reason));
      if (!aliased && refusal.other.tensor != refusal.place.tensor) {
        left.append(device.members()[refusal.other.tensor].where.with(reason));
      }
      return false;
    }
  };
  std::vector<DeviceTensors*> cpus, gpus;  // as many as there are types, and GPUs
  for (auto& [kind, device] : devices_) {
    if (!device.members().empty()) (kind.first == TensorView::cpu ? cpus : gpus).push_back(&device);
  }
  if (cpus.empty() && gpus.empty()) cpus.push_back(&on(TensorView::cpu, DType::float32));  // a step of nothing is one too
  const bool checks_first = only_checks || cpus.size() + gpus.size() > 1;
  for (DeviceTensors* const cpu : cpus) {
    if (!takes(*cpu, [&] {
          cpu->settle(rules_);
          if (checks_first) cpu->expect_apart();
        }))
      return left;
  }
  py::object norm = py::none();
  std::vector<py::object> prepared;
  for (DeviceTensors* const gpu : gpus) {
    if (!takes(*gpu, [&] {
          gpu->settle(rules_);
          gpu->expect_apart();
        }))
      return left;
    prepared.push_back(gpu->prepare(rules_, options));
    norm = prepared.back().attr("norm");
  }
  if (only_checks) return py::none();

  const py::list stepped = tensors_to_step();
  const auto finish = [&] {
    for (DeviceTensors* const cpu : cpus) {
      if (const std::optional<double> found = cpu->step(options, threads)) norm = py::float_(*found);
    }
    for (const auto& [kind, device] : devices_) {
      for (const TorchMember& member : device.members()) {
        if (member.step) member.step.change(1, 1);
        if (has_product_) member.product.change(nadam_momentum(rules_[member.where.group].wide, member.steps + 1), 0);
      }
    }
    ++step_count_;
    versions_.increment(stepped);
  };
  if (!prepared.empty()) {
    gpus.front()->launch(prepared, py::cpp_function(finish));
  } else if (cpus.size() == 1) {
    if (!takes(*cpus[0], finish)) return left;
  } else {
    finish();
  }
  return norm;
}

py::list TorchTensors::tensors_to_step() const {
  size_t count = 0;
  for (const auto& [kind, device] : devices_) count += device.members().size();
  py::list tensors(count);
  Py_ssize_t i = 0;
  for (const auto& [kind, device] : devices_) {
    for (const TorchMember& member : device.members()) {
      PyList_SET_ITEM(tensors.ptr(), i++, Py_NewRef(member.param));
      if (member.local) tensors.append(py::handle(member.local));
    }
  }
  return tensors;
}

}  // namespace fastadam
