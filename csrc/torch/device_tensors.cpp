#include "device_tensors.hpp"

#include <algorithm>

#include "../casters.hpp"
#include "../cpu/threads.hpp"
#include "../interpreter.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

constexpr uintptr_t no_elements = 1;  // stands for the address of an empty gradient, which may be 0; 0 is for none

uintptr_t address(const void* memory) { return reinterpret_cast<uintptr_t>(memory); }

template <class... Arguments>
py::object call(const py::object& object, const char* method, const Arguments&... arguments) {
  const py::object function = object.attr(method);
  const py::tuple given = py::make_tuple(arguments...);
  PyObject* const result = call_python([&] { return PyObject_CallObject(function.ptr(), given.ptr()); });
  if (!result) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(result);
}

}  // namespace

void TorchScalar::change(double factor, double term) const {
  if (is_double) {
    double& number = *static_cast<double*>(memory);
    number = number * factor + term;
  } else {
    float& number = *static_cast<float*>(memory);
    number = number * static_cast<float>(factor) + static_cast<float>(term);
  }
}

void DeviceTensors::begin(size_t group_count) {
  members_.clear();
  arrays_.clear();
  sizes_.assign(group_count, 0);
}

void DeviceTensors::add(const TorchArrays& arrays, const TorchMember& member) {
  arrays_.push_back(arrays);
  members_.push_back(member);
  ++sizes_[member.where.group];
}

std::unique_ptr<Tensors> DeviceTensors::tensors_on_cpu(const std::vector<GroupRule>& rules) const {
  std::vector<size_t> sizes;
  std::vector<Rule> own;
  for_groups(rules, [&](size_t size, const Rule& rule) {
    sizes.push_back(size);
    own.push_back(rule);
  });
  auto fresh = std::make_unique<Tensors>(sizes, dtype_);
  for (const TorchArrays& arrays : arrays_) {
    fresh->add(arrays.param, {arrays.states, arrays.states + arrays.state_count}, arrays.size);
  }
  fresh->seal(std::move(own));
  return fresh;
}

std::unique_ptr<OwnedMemory> DeviceTensors::memory_on_gpu() const {
  auto fresh = std::make_unique<OwnedMemory>();
  py::list addresses, sizes, group_sizes;
  for (size_t i = 0; i < arrays_.size(); ++i) {
    const TorchArrays& arrays = arrays_[i];
    py::list own;
    own.append(address(arrays.param));
    fresh->add(arrays.param, bytes_of(arrays), {param_role, i});
    for (int k = 0; k < arrays.state_count; ++k) {
      own.append(address(arrays.states[k]));
      fresh->add(arrays.states[k], bytes_of(arrays), {state_role + k, i});
    }
    addresses.append(own);
    sizes.append(arrays.size);
  }
  fresh->seal();
  for (const size_t size : sizes_) {
    if (size > 0) group_sizes.append(size);
  }
  call(gpu_, "take", addresses, sizes, group_sizes);
  return fresh;
}

void DeviceTensors::settle(const std::vector<GroupRule>& rules) {
  if (!(tensors_ || memory_) || arrays_ != last_arrays_ || sizes_ != last_sizes_) {
    tensors_.reset();
    memory_.reset();
    if (gpu_) {
      memory_ = memory_on_gpu();
    } else {
      tensors_ = tensors_on_cpu(rules);
    }
    last_arrays_ = arrays_;
    last_sizes_ = sizes_;
  }
  if (!tensors_) return;
  size_t group = 0;
  for_groups(rules, [&](size_t, const Rule& rule) { tensors_->set_options(group++, rule); });
  for (size_t i = 0; i < members_.size(); ++i) tensors_->steps()[i] = members_[i].steps;
}

Gradients DeviceTensors::grads() const {
  Gradients grads;
  grads.reserve(members_.size());
  for (const TorchMember& member : members_) grads.emplace_back(member.grad);
  return grads;
}

void DeviceTensors::expect_apart() const {
  if (tensors_) return tensors_->expect_apart(grads());
  for (size_t i = 0; i < members_.size(); ++i) memory_->expect_apart(members_[i].grad, bytes_of(arrays_[i]), {grad_role, i});
}

std::optional<double> DeviceTensors::step(const StepOptions& options, int threads) {
  const Gradients memory = grads();
  const WithoutGil released;
  return tensors_->step(memory, options, std::min(threads, effective_threads(0)));
}

py::object DeviceTensors::prepare(const std::vector<GroupRule>& rules, const StepOptions& options) const {
  py::list grads, counts, own;
  for (const TorchMember& member : members_) {
    grads.append(member.grad ? address(member.grad) : no_elements);
    counts.append(member.steps);
  }
  for_groups(rules, [&](size_t, const Rule& rule) { own.append(rule); });
  return call(gpu_, "prepare", own, grads, counts, options);
}

void DeviceTensors::launch(const std::vector<py::object>& prepared, const py::object& done) const {
  py::list all;
  for (const py::object& each : prepared) all.append(each);
  call(gpu_, "launch", all, done);
}

}  // namespace fastadam
