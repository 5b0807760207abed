#include "exchange.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "../dlpack.hpp"
#include "../interpreter.hpp"
#include "../layout.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

bool is_true(const py::object& function, PyObject* argument) {
  PyObject* const result = call_python([&] { return PyObject_CallOneArg(function.ptr(), argument); });
  if (!result) throw py::error_already_set();
  Py_DECREF(result);
  return result == Py_True;
}

}  // namespace

bool TensorView::is_floats() const {
  const int64_t size = is_complex() ? bits / 2 : bits;
  const bool fits = (code == real || code == complex) && (size == 32 || size == 64);
  return device != elsewhere && fits && is_aligned();
}

bool TensorView::is_aligned() const {
  return reinterpret_cast<uintptr_t>(memory) % static_cast<uintptr_t>(size_of(dtype())) == 0;
}

int64_t TensorView::size() const {
  int64_t count = is_complex() ? 2 : 1;
  for (int d = 0; d < ndim; ++d) count *= shape[d];
  return count;
}

bool TensorView::is_dense() const { return fastadam::is_dense(ndim, shape, strides, int64_t{1}); }

bool TensorView::matches(const TensorView& other) const {
  if (device != other.device || code != other.code || bits != other.bits || ndim != other.ndim) return false;
  if (bool{placement} != bool{other.placement}) return false;
  if (placement && !placement.equal(other.placement)) return false;
  if (!std::equal(shape, shape + ndim, other.shape) || !have_same_order(ndim, shape, strides, other.strides)) return false;
  return is_aligned();
}

bool TensorView::is_scalar() const {
  if (code != real || (bits != 32 && bits != 64) || reinterpret_cast<uintptr_t>(memory) % (bits / 8) != 0) return false;
  for (int d = 0; d < ndim; ++d) {
    if (shape[d] != 1) return false;
  }
  return true;
}

Exchange::Exchange(const py::object& table, py::object describe, py::tuple types, py::object local, py::object is_neg,
                   py::object is_conj)
    : describe_(std::move(describe)),
      local_(std::move(local)),
      is_neg_(std::move(is_neg)),
      is_conj_(std::move(is_conj)),
      types_(std::move(types)) {
  if (table.is_none()) return;
  const auto* api = static_cast<const dlpack::ExchangeAPI*>(PyCapsule_GetPointer(table.ptr(), "dlpack_exchange_api"));
  if (!api) throw py::error_already_set();
  while (api && api->version.major > 1) api = static_cast<const dlpack::ExchangeAPI*>(api->older);
  if (api && api->version.major == 1) fill_ = api->tensor_from_object;
}

bool Exchange::is_plain(PyObject* tensor) const {
  bool known = false;
  for (const py::handle type : types_) known |= reinterpret_cast<PyObject*>(Py_TYPE(tensor)) == type.ptr();
  return known;
}

bool Exchange::view(PyObject* tensor, TensorView& out) const {
  out.local = out.placement = py::object();
  if (!is_plain(tensor)) {
    const py::object spread = local_(py::handle(tensor));
    if (spread.is_none()) return false;
    std::tie(out.local, out.placement) = spread.cast<std::pair<py::object, py::object>>();
    tensor = out.local.ptr();
    if (!is_plain(tensor)) return false;
  }
  if (!fill_) return view_by_python(tensor, out);
  dlpack::Tensor source;
  if (fill_(tensor, &source) != 0) {
    if (!PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError)) throw py::error_already_set();
    PyErr_Clear();
    return false;
  }
  out.memory = static_cast<char*>(source.data) + source.byte_offset;
  const auto [type, id] = source.device;
  out.device = type == dlpack::cpu ? TensorView::cpu : type == dlpack::cuda ? id : TensorView::elsewhere;
  out.code = source.dtype.lanes == 1 ? source.dtype.code : 0;
  out.bits = source.dtype.bits;
  out.ndim = source.ndim;
  out.shape = source.shape;
  out.strides = source.strides;
  return true;
}

bool Exchange::view_by_python(PyObject* tensor, TensorView& out) const {
  const py::object described = describe_(py::handle(tensor));
  if (described.is_none()) return false;
  const auto [address, shape, strides, code, bits, device] =
      described.cast<std::tuple<uintptr_t, std::vector<int64_t>, std::vector<int64_t>, int, int, int>>();
  if (shape.size() != strides.size()) throw std::invalid_argument("expected a stride for each dimension");
  out.memory = reinterpret_cast<void*>(address);
  out.device = device;
  out.code = code;
  out.bits = bits;
  out.ndim = static_cast<int>(shape.size());
  out.described = shape;
  out.described.insert(out.described.end(), strides.begin(), strides.end());
  out.shape = out.described.data();
  out.strides = out.shape + out.ndim;
  return true;
}

bool Exchange::is_lazy(PyObject* tensor, const TensorView& view) const {
  if (view.local) tensor = view.local.ptr();
  return is_true(is_neg_, tensor) || (view.is_complex() && is_true(is_conj_, tensor));
}

}  // namespace fastadam
