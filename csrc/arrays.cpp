#include "arrays.hpp"

#include <pybind11/complex.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <complex>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "cpu/norm.hpp"
#include "cpu/norm_parts.hpp"
#include "interpreter.hpp"
#include "layout.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

using Flags = py::detail::npy_api;
constexpr int to_read = Flags::NPY_ARRAY_ALIGNED_;
constexpr int to_write = to_read | Flags::NPY_ARRAY_WRITEABLE_;

// Whether an exception is about the object that raised it. Ctrl-C, the end of the process and a lack of memory are not.
bool is_about_object(const py::error_already_set& error) {
  return error.matches(PyExc_Exception) && !error.matches(PyExc_MemoryError);
}

// Whether an array is one of numpy.ma, whose mask the kernels would ignore. While that module is not imported there is none.
bool is_masked(py::handle array) {
  if (Py_TYPE(array.ptr()) == py::detail::npy_api::get().PyArray_Type_) return false;
  const auto name = py::str("numpy.ma");
  const auto module = py::reinterpret_steal<py::object>(PyImport_GetModule(name.ptr()));
  if (!module) return false;
  const py::object type = module.attr("MaskedArray");
  return PyType_Check(type.ptr()) && PyObject_TypeCheck(array.ptr(), reinterpret_cast<PyTypeObject*>(type.ptr()));
}

// Whether an array of another library stands for the negatives of the numbers in its memory, as PyTorch's may, which DLPack
// does not say. Tensors say so by a method.
bool is_lazy(py::handle object) {
  PyObject* const method =
      call_python([&] { return PyObject_GetAttrString(reinterpret_cast<PyObject*>(Py_TYPE(object.ptr())), "is_neg"); });
  if (!method) {
    PyErr_Clear();
    return false;
  }
  const auto is_neg = py::reinterpret_steal<py::object>(method);
  return result_of([&] { return PyObject_CallOneArg(is_neg.ptr(), object.ptr()); }).ptr() == Py_True;
}

// A NumPy array over the memory of `object`, an array of any library; throws Refusal for anything else.
py::array as_array(py::handle object, Place place) {
  if (py::isinstance<py::array>(object)) {
    if (is_masked(object)) throw Refusal("masked", place);
    return py::reinterpret_borrow<py::array>(object);
  }
  PyObject* const method = call_python([&] { return PyObject_GetAttrString(object.ptr(), "__dlpack__"); });
  if (!method && PyErr_ExceptionMatches(PyExc_AttributeError)) {
    PyErr_Clear();
    throw Refusal("type", place);
  }
  Py_XDECREF(method);
  try {
    if (!method) throw py::error_already_set();
    if (is_lazy(object)) {
      if (place.role != grad_role) throw Refusal("lazy", place);
      const py::object resolved = object.attr("resolve_neg")();
      if (!is_lazy(resolved)) return as_array(resolved, place);
    }
    const py::object from_dlpack = py::module_::import("numpy").attr("from_dlpack");
    return result_of([&] { return PyObject_CallOneArg(from_dlpack.ptr(), object.ptr()); });
  } catch (const py::error_already_set& error) {
    if (!is_about_object(error)) throw;
    std::throw_with_nested(Refusal("export", place, place, error.what()));
  }
}

template <class Number>
bool has_type(const py::array& array) {
  static const PyObject* const canonical = py::dtype::of<Number>().release().ptr();  // which nearly all arrays have
  if (py::detail::array_proxy(array.ptr())->descr == canonical) return true;
  // A dtype may also state the native byte order explicitly, as those of ctypes do.
  return array.dtype().equal(py::dtype::of<Number>());
}

// What the elements of an array are: numbers of a type, or complex ones, which are pairs of them.
struct Elements {
  DType dtype;
  bool is_complex;
  bool operator==(const Elements&) const = default;
};

// None if the kernels do not know them.
std::optional<Elements> elements_of(const py::array& array) {
  if (has_type<float>(array)) return Elements{DType::float32, false};
  if (has_type<double>(array)) return Elements{DType::float64, false};
  if (has_type<std::complex<float>>(array)) return Elements{DType::float32, true};
  if (has_type<std::complex<double>>(array)) return Elements{DType::float64, true};
  return std::nullopt;
}

// As NumPy calls it.
const char* name_of(Elements elements) {
  if (!elements.is_complex) return name_of(elements.dtype);
  return elements.dtype == DType::float32 ? "complex64" : "complex128";
}

// How many numbers of the kernels' type an array has.
py::ssize_t number_count(const py::array& array) { return array.dtype().kind() == 'c' ? 2 * array.size() : array.size(); }

bool has_same_shape(const py::array& array, const py::array& param) {
  return array.ndim() == param.ndim() && std::equal(array.shape(), array.shape() + array.ndim(), param.shape());
}

// Whether the elements fill a block of memory.
bool fills_block(const py::array& array) {
  constexpr int usual = Flags::NPY_ARRAY_C_CONTIGUOUS_ | Flags::NPY_ARRAY_F_CONTIGUOUS_;
  if (array.flags() & usual) return true;
  return is_dense(static_cast<int>(array.ndim()), array.shape(), array.strides(), array.itemsize());
}

// Whether the elements have the order in memory that those of the parameter have. One of another shape is refused for that.
bool has_order_of(const py::array& param, const py::array& array) {
  if (array.flags() & param.flags() & Flags::NPY_ARRAY_C_CONTIGUOUS_) return true;
  if (!has_same_shape(array, param)) return fills_block(array);
  return have_same_order(static_cast<int>(array.ndim()), array.shape(), array.strides(), param.strides());
}

// Throws Refusal unless a kernel can use an array's memory in place; `flags` are the NumPy flags that it needs. `param` is the
// parameter that it belongs to, if it is not one itself.
void expect_usable(const py::array& array, DType dtype, Place place, int flags, const py::array* param = nullptr) {
  const int missing = flags & ~array.flags();
  const std::optional<Elements> found = elements_of(array);
  const std::optional<Elements> expected = param ? elements_of(*param) : found;
  const bool has_right_parts = found && found->dtype == dtype;
  if (found != expected && (has_right_parts || expected->is_complex)) {
    throw Refusal("dtype", place, {param_role, place.tensor}, name_of(*expected));
  }
  if (!has_right_parts) throw Refusal("dtype", place, place, name_of(dtype));
  if (param && !has_order_of(*param, array)) throw Refusal("layout", place, {param_role, place.tensor});
  if (!param && !fills_block(array)) throw Refusal("layout", place);
  if (missing & Flags::NPY_ARRAY_ALIGNED_) throw Refusal("alignment", place);
  if (missing & Flags::NPY_ARRAY_WRITEABLE_) throw Refusal("read-only", place);
}

void expect_shape(const py::array& array, const py::array& param, Place place) {
  if (!has_same_shape(array, param)) throw Refusal("shape", place, {param_role, place.tensor});
}

// The last NumPy array of those that an array is a view of, whose memory it is; null if it is its own.
py::object owner_of(const py::array& array) {
  py::object owner = array.base();
  if (!owner || !py::isinstance<py::array>(owner)) return {};
  for (;;) {
    const py::object next = py::reinterpret_borrow<py::array>(owner).base();
    if (!next || !py::isinstance<py::array>(next)) return owner;
    owner = next;
  }
}

}  // namespace

ArrayTensors::ArrayTensors(const py::sequence& params, const py::sequence& states, const std::vector<size_t>& group_sizes,
                           std::vector<Rule> rules, const std::vector<int64_t>& steps)
    : tensors_(group_sizes, rules.empty() ? DType::float32 : rules[0].dtype) {
  if (steps.size() != params.size()) throw std::invalid_argument("expected a step count for each tensor");
  for (size_t i = 0; i < params.size(); ++i) {
    params_.push_back(owned_.size());
    void* const memory = own(params[i], {param_role, i});
    std::vector<void*> state_memory;
    const py::sequence state = states[i];
    for (size_t k = 0; k < state.size(); ++k) {
      const Place place{state_role + static_cast<int>(k), i};
      state_memory.push_back(own(state[k], place));
      expect_shape(owned_.back().array, param(i), place);
    }
    tensors_.add(memory, state_memory, number_count(param(i)), steps[i]);
  }
  tensors_.seal(std::move(rules));
}

void* ArrayTensors::own(const py::object& object, Place place) {
  const py::array array = as_array(object, place);
  expect_usable(array, tensors_.dtype(), place, to_write, param_of(place));
  Owned owned{array, array.data(), array.size(), place, owner_of(array), {}, {}, {}, {}};
  if (!owned.is_owned()) owned.owner = {};  // a view that reaches beyond the array it was made from
  if (!array.is(object) && array.size() > 0) {
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
    expect_usable(array, tensors_.dtype(), owned.place, to_write, param_of(owned.place));
    // NumPy exports memory that is gone as memory of its own, maybe at the old address, so what data_ptr said counts.
    const bool said_moved = owned.data_ptr && exported_again;
    if (said_moved || !owned.is_owned() || array.data() != owned.memory || array.size() != owned.size)
      throw Refusal("moved", owned.place);
  }
  std::vector<std::optional<const void*>> memory(tensors_.count());
  for (size_t i = 0; i < memory.size(); ++i) {
    if (!exported[i]) continue;
    const Place place{grad_role, i};
    expect_usable(*exported[i], tensors_.dtype(), place, to_read, param_of(place));
    expect_shape(*exported[i], param(i), place);
    memory[i] = exported[i]->data();
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

namespace {

// The memory of arrays of one type, and of those that are None no elements.
struct ReadArrays {
  std::vector<Array> memory;
  std::vector<py::array> kept;
  DType dtype = DType::float32;

  explicit ReadArrays(const py::tuple& grads, bool may_be_complex = true) {
    bool is_first = true;
    for (size_t i = 0; i < grads.size(); ++i) {
      const py::handle grad = grads[i];
      memory.push_back({});
      if (grad.is_none()) continue;
      const py::array array = as_array(grad, {grad_role, i});
      const std::optional<Elements> elements = elements_of(array);
      if (is_first && elements) dtype = elements->dtype;
      is_first = false;
      if (!may_be_complex && elements && elements->is_complex) throw Refusal("complex", {grad_role, i});
      expect_usable(array, dtype, {grad_role, i}, to_read);
      memory.back() = {array.data(), number_count(array)};
      if (!array.is(grad)) kept.push_back(array);
    }
  }
};

}  // namespace

double norm_of_arrays(const py::sequence& grads, int threads) {
  const auto own_grads = py::tuple(result_of([&] { return PySequence_Tuple(grads.ptr()); }));
  const ReadArrays arrays(own_grads);
  const WithoutGil released;
  return global_norm(arrays.memory, arrays.dtype, threads);
}

py::bytes norm_part_of_arrays(const py::sequence& grads, const std::vector<int64_t>& begins, const std::vector<int64_t>& sizes,
                              double scale, int threads) {
  const auto own_grads = py::tuple(result_of([&] { return PySequence_Tuple(grads.ptr()); }));
  if (begins.size() != own_grads.size() || sizes.size() != own_grads.size()) {
    throw std::invalid_argument("expected a first element and a size for each gradient");
  }
  const ReadArrays arrays(own_grads, false);
  std::vector<Shard> shards;
  for (size_t i = 0; i < own_grads.size(); ++i) {
    const Shard shard{arrays.memory[i], begins[i], sizes[i]};
    if (shard.first < 0 || shard.whole < shard.first || shard.whole - shard.first < shard.array.size) {
      throw Refusal("part", {grad_role, i}, {grad_role, i}, std::to_string(shard.array.size));
    }
    shards.push_back(shard);
  }
  std::string part;
  {
    const WithoutGil released;
    part = norm_part(shards, arrays.dtype, scale, threads);
  }
  return part;
}

std::pair<std::optional<double>, double> combined_norm_of(const std::vector<py::buffer>& parts, double scale) {
  std::vector<py::buffer_info> infos;
  std::vector<std::string_view> bytes;
  for (const py::buffer& part : parts) {
    infos.push_back(part.request());
    const py::buffer_info& info = infos.back();
    bytes.emplace_back(static_cast<const char*>(info.ptr), static_cast<size_t>(info.size * info.itemsize));
  }
  CombinedNorm combined{};
  {
    const WithoutGil released;
    combined = combined_norm(bytes, scale);
  }
  return combined.scale == 0 ? std::pair{std::optional(combined.norm), 0.0}
                             : std::pair{std::optional<double>(), combined.scale};
}

}  // namespace fastadam
