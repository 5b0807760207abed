#include "exported.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include "dlpack.hpp"
#include "interpreter.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

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

// The class fastadam.bfloat16, and the type that another library has for such numbers, once it has been met. Never freed.
std::atomic<PyObject*> bfloat16_class{nullptr}, foreign_bfloat16{nullptr};

py::array as_bfloat16(const py::object& bits, Place place) {
  const py::array array = as_array(bits, place);
  if (!py::isinstance<py::array_t<uint16_t>>(array)) throw Refusal("bits", place);
  return array.attr("view")(bfloat16_type());
}

py::object type_of(py::handle object) {
  PyObject* const dtype = call_python([&] { return PyObject_GetAttrString(object.ptr(), "dtype"); });
  if (!dtype) PyErr_Clear();
  return py::reinterpret_steal<py::object>(dtype);
}

// Whether an array of another library calls its type bfloat16, in whatever words.
bool says_bfloat16(py::handle object) {
  py::object dtype = type_of(object);
  if (!dtype) return false;
  const py::object words = result_of([&] { return PyObject_Str(dtype.ptr()); });
  if (!words.cast<std::string>().ends_with("bfloat16")) return false;
  PyObject* none = nullptr;
  if (foreign_bfloat16.compare_exchange_strong(none, dtype.ptr())) dtype.release();
  return true;
}

// The same at once, if it has been asked before.
bool is_known_bfloat16(py::handle object) {
  PyObject* const known = foreign_bfloat16.load();
  return known && type_of(object).ptr() == known;
}

// What an array exports, of a version that says whether it is read-only if it has that.
py::object exported_capsule(py::handle object) {
  try {
    return object.attr("__dlpack__")(py::arg("max_version") = py::make_tuple(1, 0));
  } catch (const py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;
  }
  return object.attr("__dlpack__")();
}

// A capsule that frees what it holds as DLPack says, in place of one that an exporter has made.
template <class Managed>
py::capsule taken_over(const py::object& capsule, const char* name, const char* used) {
  auto* const managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule.ptr(), name));
  if (!managed) throw py::error_already_set();
  py::capsule owner(managed, [](void* pointer) {
    auto* const taken = static_cast<Managed*>(pointer);
    if (taken->deleter) taken->deleter(taken);
  });
  PyCapsule_SetName(capsule.ptr(), used);
  return owner;
}

// NumPy does not read this type from DLPack. As NumPy does, takes memory for read-only if an exporter cannot say that it is
// not.
py::array bfloat16_from_dlpack(py::handle object, Place place) {
  const py::object capsule = exported_capsule(object);
  const bool is_versioned = PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned");
  const py::capsule owner = is_versioned
                                ? taken_over<dlpack::VersionedTensor>(capsule, "dltensor_versioned", "used_dltensor_versioned")
                                : taken_over<dlpack::ManagedTensor>(capsule, "dltensor", "used_dltensor");
  void* const managed = owner.get_pointer();
  const dlpack::Tensor& tensor = is_versioned ? static_cast<dlpack::VersionedTensor*>(managed)->tensor
                                              : static_cast<dlpack::ManagedTensor*>(managed)->tensor;
  const bool fits = tensor.device.type == dlpack::cpu && tensor.dtype.code == dlpack::bfloat && tensor.dtype.bits == 16;
  if (!fits || tensor.dtype.lanes != 1) throw Refusal("export", place, place, "its export is no bfloat16 of the CPU");
  std::vector<py::ssize_t> shape(tensor.shape, tensor.shape + tensor.ndim), strides(shape.size());
  py::ssize_t next = sizeof(uint16_t);
  for (size_t d = shape.size(); d-- > 0; next *= std::max<py::ssize_t>(shape[d], 1)) {
    strides[d] = tensor.strides ? tensor.strides[d] * static_cast<py::ssize_t>(sizeof(uint16_t)) : next;
  }
  py::array array(bfloat16_type(), shape, strides, static_cast<char*>(tensor.data) + tensor.byte_offset, owner);
  if (!is_versioned || (static_cast<dlpack::VersionedTensor*>(managed)->flags & dlpack::read_only)) {
    array.attr("setflags")(py::arg("write") = false);
  }
  return array;
}

}  // namespace

py::array as_array(py::handle object, Place place) {
  if (py::isinstance<py::array>(object)) {
    if (is_masked(object)) throw Refusal("masked", place);
    return py::reinterpret_borrow<py::array>(object);
  }
  if (is_wrapped(object)) return as_bfloat16(object.attr("bits"), place);
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
    if (is_known_bfloat16(object)) return bfloat16_from_dlpack(object, place);
    const py::object from_dlpack = py::module_::import("numpy").attr("from_dlpack");
    try {
      return result_of([&] { return PyObject_CallOneArg(from_dlpack.ptr(), object.ptr()); });
    } catch (const py::error_already_set& error) {
      if (!is_about_object(error) || !says_bfloat16(object)) throw;
    }
    return bfloat16_from_dlpack(object, place);
  } catch (const py::error_already_set& error) {
    if (!is_about_object(error)) throw;
    std::throw_with_nested(Refusal("export", place, place, error.what()));
  }
}

void set_bfloat16_class(const py::type& type) { bfloat16_class = py::object(type).release().ptr(); }

bool is_wrapped(py::handle object) { return reinterpret_cast<PyObject*>(Py_TYPE(object.ptr())) == bfloat16_class.load(); }

py::dtype bfloat16_type() {
  static const PyObject* const type = [] {
    const auto field = py::make_tuple("bfloat16", "=u2");
    py::list fields;
    fields.append(field);
    return py::dtype::from_args(fields).release().ptr();
  }();
  return py::reinterpret_borrow<py::dtype>(const_cast<PyObject*>(type));
}

bool is_bfloat16(const py::dtype& dtype) {
  if (dtype.kind() != 'V' || dtype.itemsize() != 2) return false;
  return dtype.is(bfloat16_type()) || py::str(dtype.attr("name")).equal(py::str("bfloat16")) || dtype.equal(bfloat16_type());
}

}  // namespace fastadam
