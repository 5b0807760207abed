#include "arrays.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <stdexcept>

#include "cpu/norm.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

using Flags = py::detail::npy_api;
constexpr int to_read = Flags::NPY_ARRAY_C_CONTIGUOUS_ | Flags::NPY_ARRAY_ALIGNED_;
constexpr int to_write = to_read | Flags::NPY_ARRAY_WRITEABLE_;

// A NumPy array over the memory of what is one or exports one; throws Refusal otherwise.
py::array as_array(py::handle object, Place place) {
  if (py::isinstance<py::array>(object)) return py::reinterpret_borrow<py::array>(object);
  if (!py::hasattr(object, "__dlpack__")) throw Refusal("type", place);
  try {
    return py::module_::import("numpy").attr("from_dlpack")(object);
  } catch (const py::error_already_set& error) {
    throw Refusal("export", place, place, error.what());
  }
}

template <class Number>
bool has_type(const py::array& array) {
  static const PyObject* const canonical = py::dtype::of<Number>().release().ptr();  // which nearly all arrays have
  if (py::detail::array_proxy(array.ptr())->descr == canonical) return true;
  // Native order may also be spelled out, as ctypes does.
  return array.dtype().equal(py::dtype::of<Number>());
}

// Throws Refusal unless a kernel may work on an array's memory in place; `flags` are those of NumPy that it needs.
void expect_usable(const py::array& array, Place place, int flags) {
  const int missing = flags & ~array.flags();
  if (!has_type<float>(array)) throw Refusal("dtype", place);
  if (missing & Flags::NPY_ARRAY_C_CONTIGUOUS_) throw Refusal("layout", place);
  if (missing & Flags::NPY_ARRAY_ALIGNED_) throw Refusal("alignment", place);
  if (missing & Flags::NPY_ARRAY_WRITEABLE_) throw Refusal("read-only", place);
}

void expect_shape(const py::array& array, const py::array& param, Place place) {
  const bool same = array.ndim() == param.ndim() && std::equal(array.shape(), array.shape() + array.ndim(), param.shape());
  if (!same) throw Refusal("shape", place, {param_role, place.tensor});
}

const float* memory_of(const py::array& array) { return static_cast<const float*>(array.data()); }

// The numbers of an array of counts, `size` of them.
int64_t* counts_of(py::array& counts, size_t size) {
  if (!has_type<int64_t>(counts) || (counts.flags() & to_write) != to_write || static_cast<size_t>(counts.size()) != size) {
    throw std::invalid_argument("expected counts as a contiguous int64 array, one for each tensor");
  }
  return static_cast<int64_t*>(counts.mutable_data());
}

}  // namespace

ArrayTensors::ArrayTensors(const py::sequence& params, const py::sequence& states, const std::vector<size_t>& group_sizes)
    : tensors_(group_sizes) {
  for (size_t i = 0; i < params.size(); ++i) {
    params_.push_back(owned_.size());
    float* const memory = own(params[i], {param_role, i});
    std::vector<float*> state_memory;
    const py::sequence state = states[i];
    for (size_t k = 0; k < state.size(); ++k) {
      const Place place{state_role + static_cast<int>(k), i};
      state_memory.push_back(own(state[k], place));
      expect_shape(owned_.back().array, param(i), place);
    }
    tensors_.add(memory, state_memory, param(i).size());
  }
  tensors_.seal();
}

float* ArrayTensors::own(const py::object& object, Place place) {
  const py::array array = as_array(object, place);
  expect_usable(array, place, to_write);
  owned_.push_back({array, array.data(), array.size(), place});
  return const_cast<float*>(memory_of(array));
}

std::optional<double> ArrayTensors::step(const py::sequence& rules, const py::sequence& grads, py::array& steps,
                                         py::array& skips, const py::tuple& gradient_options, int threads) const {
  for (const Owned& owned : owned_) {
    expect_usable(owned.array, owned.place, to_write);
    if (owned.array.data() != owned.memory || owned.array.size() != owned.size) throw Refusal("moved", owned.place);
  }
  // Tuples of the step's own, since a sequence may make its members on demand, and another thread may change it while the
  // GIL is released.
  const py::tuple own_rules = rules, own_grads = grads;
  if (own_rules.size() != tensors_.group_count() || own_grads.size() != tensors_.count()) {
    throw std::invalid_argument("expected a rule for each group and a gradient for each tensor");
  }
  std::vector<const Rule*> group_rules;
  for (const py::handle rule : own_rules) group_rules.push_back(rule.cast<const Rule*>());
  std::vector<py::array> exported;
  std::vector<std::optional<const float*>> memory(tensors_.count());
  for (size_t i = 0; i < memory.size(); ++i) {
    const py::handle grad = own_grads[i];
    if (grad.is_none()) continue;
    const Place place{grad_role, i};
    const py::array array = as_array(grad, place);
    expect_usable(array, place, to_read);
    expect_shape(array, param(i), place);
    memory[i] = memory_of(array);
    if (!array.is(grad)) exported.push_back(array);
  }
  const GradientOptions options{gradient_options[0].cast<double>(), gradient_options[1].cast<double>(),
                                gradient_options[2].cast<std::optional<double>>(), gradient_options[3].cast<bool>()};
  int64_t* const step_counts = counts_of(steps, tensors_.count());
  int64_t* const skip_count = counts_of(skips, 1);
  const py::gil_scoped_release released;
  return tensors_.step(group_rules, memory, step_counts, skip_count, options, threads);
}

double norm_of_arrays(const py::sequence& grads, int threads) {
  const py::tuple own_grads = grads;
  std::vector<py::array> exported;
  std::vector<Array> arrays;
  for (size_t i = 0; i < own_grads.size(); ++i) {
    const py::handle grad = own_grads[i];
    if (grad.is_none()) continue;
    const py::array array = as_array(grad, {grad_role, i});
    expect_usable(array, {grad_role, i}, to_read);
    arrays.push_back({memory_of(array), array.size()});
    if (!array.is(grad)) exported.push_back(array);
  }
  const py::gil_scoped_release released;
  return global_norm(arrays, threads);
}

}  // namespace fastadam
