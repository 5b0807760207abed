#include "arrays.hpp"

#include <pybind11/stl.h>

#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "exported.hpp"
#include "interpreter.hpp"

namespace py = pybind11;

namespace fastadam {

ArrayTensors::ArrayTensors(const py::sequence& params, const py::sequence& states, const std::vector<size_t>& group_sizes,
                           std::vector<Rule> rules, const std::vector<int64_t>& steps)
    : tensors_(group_sizes, rules.empty() ? DType::float32 : rules[0].dtype) {
  if (steps.size() != params.size()) throw std::invalid_argument("expected a step count for each tensor");
  if (rules.size() != group_sizes.size()) throw std::invalid_argument("expected a rule for each group");
  if (std::accumulate(group_sizes.begin(), group_sizes.end(), size_t{0}) != params.size()) {
    throw std::invalid_argument("the sizes of the groups do not add up to the number of tensors");
  }
  size_t i = 0;
  for (size_t group = 0; group < rules.size(); ++group) {
    for (const size_t end = i + group_sizes[group]; i < end; ++i) {
      params_.push_back(owned_.size());
      own(params[i], {param_role, i});
      tensors_.add(arrays_of(rules[group], i, states[i]), number_count(param(i)), steps[i]);
    }
  }
  tensors_.seal(std::move(rules));
}

TensorArrays ArrayTensors::arrays_of(const Rule& rule, size_t tensor, const py::sequence& states) {
  const Place place{param_role, tensor};
  const Elements elements = *elements_of(param(tensor));
  const Storage& storage = rule.storage;
  if (elements.is_complex || elements.dtype != DType::float32) {
    if (storage.states != StateFormat::float32) throw Refusal("storage", place);
  }
  const bool is_c_ordered = param(tensor).flags() & py::array::c_style;
  if (storage.states == StateFormat::log8 && !is_c_ordered) throw Refusal("block order", place);
  size_t next = 0;
  const auto own_next = [&](Codes codes) {
    if (next == states.size()) throw std::invalid_argument("a tensor has the wrong states for its rule");
    const int role = state_role + static_cast<int>(next);
    return own(states[next++], {role, tensor}, codes);
  };
  TensorArrays arrays{{owned_[params_[tensor]].memory, nullptr, Format::real}, {}, {}};
  for (const StateInfo& state : rule.states()) {
    const bool is_square = state.sign == StateInfo::squares;
    switch (storage.states) {
      case StateFormat::float32:
        arrays.states.push_back({own_next(Codes::none), nullptr, Format::real});
        break;
      case StateFormat::bfloat16:
        arrays.states.push_back(
            {own_next(Codes::halves), nullptr, is_square ? Format::bfloat16_dithered : Format::bfloat16_away});
        break;
      case StateFormat::log8: {
        void* const bytes = own_next(Codes::bytes);
        arrays.states.push_back({bytes, own_next(Codes::exponents), is_square ? Format::log8_square : Format::log8_signed});
        break;
      }
    }
  }
  if (rule.ema_decay) arrays.states.push_back({own_next(Codes::none), nullptr, Format::real});
  if (elements.format != Format::real) {
    if (storage.master == Master::float32) {
      arrays.copy = {arrays.param.data, nullptr, elements.format};
      arrays.param.data = own_next(Codes::none);
    } else if (elements.format == Format::float16) {
      throw Refusal("master", place);
    } else if (storage.master == Master::split) {
      arrays.param = {arrays.param.data, own_next(Codes::halves), Format::split};
    } else {
      arrays.param.format = Format::bfloat16_dithered;
    }
  }
  if (next != states.size()) throw std::invalid_argument("a tensor has the wrong states for its rule");
  return arrays;
}

void ArrayTensors::expect_updatable(const py::array& array, Place place, Codes codes) const {
  if (codes != Codes::none) return expect_codes(array, codes, place, param(place.tensor));
  expect_usable(array, tensors_.dtype(), place, to_write, param_of(place));
}

void* ArrayTensors::own(const py::object& object, Place place, Codes codes) {
  const py::array array = as_array(object, place);
  expect_updatable(array, place, codes);
  if (place.role >= state_role && codes == Codes::none) expect_shape(array, param(place.tensor), place);
  const Format format = codes == Codes::none ? elements_of(array)->format : Format::real;
  Owned owned{array, codes, format, const_cast<void*>(array.data()), array.size(), place, owner_of(array), {}, {}, {}, {}};
  if (!owned.is_owned()) owned.owner = {};  // a view that reaches beyond the array it was made from
  if (!array.is(object) && array.size() > 0 && !is_wrapped(object)) {
    owned.exporter = object;
    const auto has = [&](const char* name) { return py::hasattr(object, name); };
    if (has("data_ptr") && has("numel") && has("dtype")) {
      owned.data_ptr = object.attr("data_ptr");
      owned.numel = object.attr("numel");
      owned.dtype = object.attr("dtype");
      if (!owned.is_unmoved()) owned.data_ptr = {};  // it means something else there
    }
  }
  owned_.push_back(owned);
  return const_cast<void*>(array.data());
}

bool ArrayTensors::Owned::is_unmoved() const {
  if (!data_ptr) return false;
  const py::object address = result_of([&] { return PyObject_CallNoArgs(data_ptr.ptr()); });
  const py::object count = result_of([&] { return PyObject_CallNoArgs(numel.ptr()); });
  if (!PyLong_Check(address.ptr()) || !PyLong_Check(count.ptr())) return false;
  const bool same = PyLong_AsVoidPtr(address.ptr()) == memory && PyLong_AsSsize_t(count.ptr()) == size;
  if (PyErr_Occurred()) PyErr_Clear();  // no address or size is that large
  return same && result_of([&] { return PyObject_GetAttrString(exporter.ptr(), "dtype"); }).is(dtype);
}

bool ArrayTensors::Owned::is_owned() const {
  if (!owner) return true;
  const auto all = py::reinterpret_borrow<py::array>(owner);
  const auto begin = reinterpret_cast<uintptr_t>(all.data()), first = reinterpret_cast<uintptr_t>(memory);
  return begin <= first && first + static_cast<size_t>(size * array.itemsize()) <= begin + static_cast<size_t>(all.nbytes());
}

py::array ArrayTensors::steps(const py::object& self) {
  return py::array_t<int64_t>(static_cast<py::ssize_t>(tensors_.count()), tensors_.steps(), self);
}

py::array ArrayTensors::skips(const py::object& self) { return py::array_t<int64_t>(py::ssize_t{1}, tensors_.skips(), self); }

std::optional<double> ArrayTensors::step(const py::sequence& grads, const StepOptions& options, int threads,
                                         const std::optional<py::tuple>& asked) {
  const Tensors::Turn turn(tensors_);
  const Schedules* schedules = nullptr;
  if (asked) {
    schedules = &(*asked)[1].cast<const Schedules&>();
    if ((*asked)[0].cast<int64_t>() != tensors_.step_count()) {
      throw std::runtime_error(
          "the optimizer was stepped, or its step_count set, while the schedules of this step were asked; do not step it in a "
          "schedule, and let one thread at a time use it");
    }
    next_rules_ = tensors_.rules();
    schedules->set((*asked)[2], [this](size_t group) -> Rule& { return next_rules_.at(group); });
  }
  // A tuple of its own: a sequence may create its members on demand, and another thread may change it while the GIL is
  // released.
  const auto own_grads = py::tuple(result_of([&] { return PySequence_Tuple(grads.ptr()); }));
  if (own_grads.size() != tensors_.count()) throw std::invalid_argument("expected a gradient for each tensor");
  // Exports may run any code, so all come before the first check.
  std::vector<std::optional<py::array>> exported(tensors_.count());
  for (size_t i = 0; i < exported.size(); ++i) {
    const py::handle grad = own_grads[i];
    if (!grad.is_none()) exported[i] = as_array(grad, {grad_role, i});
  }
  std::vector<std::optional<py::array>> again;  // of those that have changed, or cannot say so
  for (const Owned& owned : owned_) {
    if (!owned.exporter) continue;
    again.emplace_back();
    if (!owned.is_unmoved()) again.back() = as_array(owned.exporter, owned.place);
  }
  auto next = again.begin();
  for (const Owned& owned : owned_) {
    const std::optional<py::array> exported_again = owned.exporter ? *next++ : std::nullopt;
    const py::array& array = exported_again ? *exported_again : owned.array;
    expect_updatable(array, owned.place, owned.codes);
    if (owned.codes == Codes::none && elements_of(array)->format != owned.format) {
      if (owned.format == Format::real) throw Refusal("dtype", owned.place, owned.place, name_of(tensors_.dtype()));
      throw Refusal("moved", owned.place);
    }
    // NumPy exports memory that is gone as memory of its own, maybe at the old address, so what data_ptr said counts.
    const bool said_moved = owned.data_ptr && exported_again;
    if (said_moved || !owned.is_owned() || array.data() != owned.memory || array.size() != owned.size)
      throw Refusal("moved", owned.place);
  }
  Gradients memory(tensors_.count());
  for (size_t i = 0; i < memory.size(); ++i) {
    if (!exported[i]) continue;
    const Place place{grad_role, i};
    expect_usable(*exported[i], tensors_.dtype(), place, to_read, param_of(place));
    expect_shape(*exported[i], param(i), place);
    memory[i] = Gradient(exported[i]->data(), elements_of(*exported[i])->format);
  }
  py::object versioned;  // a list of the parameters that are tensors of PyTorch, if there are any
  for (size_t i = 0; i < memory.size(); ++i) {
    const py::object& exporter = owned_[params_[i]].exporter;
    if (!memory[i] || !exporter || !versions_.has(exporter)) continue;
    if (!versioned) versioned = py::list();
    py::reinterpret_borrow<py::list>(versioned).append(exporter);
  }
  std::optional<double> norm;
  {
    const WithoutGil released;
    norm = tensors_.step(memory, options, threads, asked ? &next_rules_ : nullptr);
  }
  if (versioned) versions_.increment(versioned);
  if (asked) schedules->note((*asked)[1], (*asked)[2]);
  return norm;
}

}  // namespace fastadam
