#include "gpu_arrays.hpp"

#include <cstdint>

namespace py = pybind11;

namespace fastadam {
namespace {

constexpr long no_elements = 1;  // in place of the address of an empty array, which may be 0

// Lists and tuples as they are; others as a list.
py::object fast(const py::sequence& sequence) {
  auto list = py::reinterpret_steal<py::object>(PySequence_Fast(sequence.ptr(), "expected a sequence"));
  if (!list) throw py::error_already_set();
  return list;
}

// An attribute of an array, by a name that is made once.
py::object attribute(PyObject* object, PyObject* name) {
  auto value = py::reinterpret_steal<py::object>(PyObject_GetAttr(object, name));
  if (!value) throw py::error_already_set();
  return value;
}

struct Names {
  static PyObject* interned(const char* text) {
    PyObject* const name = PyUnicode_InternFromString(text);
    if (!name) throw py::error_already_set();
    return name;
  }
  PyObject *dtype = interned("dtype"), *shape = interned("shape"), *strides = interned("strides"), *data = interned("data"),
           *device_id = interned("device_id"), *ptr = interned("ptr");
};

bool is_equal(const py::object& a, PyObject* b) {
  const int equal = a.ptr() == b ? 1 : PyObject_RichCompareBool(a.ptr(), b, Py_EQ);
  if (equal < 0) throw py::error_already_set();
  return equal == 1;
}

}  // namespace

py::object gpu_addresses(const py::sequence& arrays, const py::list& layouts, const py::type& array_type, long long alignment) {
  static const Names names;
  const py::object list = fast(arrays);
  const py::ssize_t count = PySequence_Fast_GET_SIZE(list.ptr());
  if (count != PyList_GET_SIZE(layouts.ptr())) return py::none();
  py::list addresses(count);
  for (py::ssize_t i = 0; i < count; ++i) {
    const auto array = py::reinterpret_borrow<py::object>(PySequence_Fast_GET_ITEM(list.ptr(), i));
    long long address = 0;
    if (!array.is_none()) {
      if (Py_TYPE(array.ptr()) != reinterpret_cast<PyTypeObject*>(array_type.ptr())) return py::none();
      PyObject* const layout = PyList_GET_ITEM(layouts.ptr(), i);
      const py::object data = attribute(array.ptr(), names.data);
      if (!is_equal(attribute(array.ptr(), names.dtype), PyTuple_GET_ITEM(layout, 0)) ||
          !is_equal(attribute(array.ptr(), names.shape), PyTuple_GET_ITEM(layout, 1)) ||
          !is_equal(attribute(array.ptr(), names.strides), PyTuple_GET_ITEM(layout, 2)) ||
          !is_equal(attribute(data.ptr(), names.device_id), PyTuple_GET_ITEM(layout, 3))) {
        return py::none();
      }
      address = PyLong_AsLongLong(attribute(data.ptr(), names.ptr).ptr());
      if (address == -1 && PyErr_Occurred()) throw py::error_already_set();
      if (address % alignment != 0) return py::none();
      if (address == 0) address = no_elements;
    }
    PyList_SET_ITEM(addresses.ptr(), i, py::int_(address).release().ptr());
  }
  return addresses;
}

py::list references_to(const py::sequence& objects) {
  const py::object list = fast(objects);
  const py::ssize_t count = PySequence_Fast_GET_SIZE(list.ptr());
  py::list references(count);
  for (py::ssize_t i = 0; i < count; ++i) {
    PyObject* const object = PySequence_Fast_GET_ITEM(list.ptr(), i);
    PyObject* const reference = object == Py_None ? Py_NewRef(Py_None) : PyWeakref_NewRef(object, nullptr);
    if (!reference) throw py::error_already_set();
    PyList_SET_ITEM(references.ptr(), i, reference);
  }
  return references;
}

bool are_references_to(const py::list& references, const py::sequence& objects) {
  const py::object list = fast(objects);
  const py::ssize_t count = PySequence_Fast_GET_SIZE(list.ptr());
  if (count != PyList_GET_SIZE(references.ptr())) return false;
  for (py::ssize_t i = 0; i < count; ++i) {
    PyObject *const reference = PyList_GET_ITEM(references.ptr(), i), *const object = PySequence_Fast_GET_ITEM(list.ptr(), i);
#if PY_VERSION_HEX >= 0x030D0000
    PyObject* found = nullptr;
    if (reference == Py_None) {
      found = Py_NewRef(Py_None);
    } else if (PyWeakref_GetRef(reference, &found) < 0) {
      throw py::error_already_set();
    }
    const auto held = py::reinterpret_steal<py::object>(found);
#else
    PyObject* const found = reference == Py_None ? reference : PyWeakref_GetObject(reference);
#endif
    if (found != object || (object == Py_None && reference != Py_None)) return false;
  }
  return true;
}

}  // namespace fastadam
