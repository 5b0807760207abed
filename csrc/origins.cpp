#include "origins.hpp"

#include "interpreter.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

// What is in a container under a key, or null.
py::object found(PyObject* container, PyObject* key) {
  PyObject* member = nullptr;
  if (PyDict_CheckExact(container)) {  // the usual case, in a third of the time
    member = PyDict_GetItemWithError(container, key);
    Py_XINCREF(member);
  } else {
    member = call_python([&] { return PyObject_GetItem(container, key); });
    if (!member && PyErr_ExceptionMatches(PyExc_LookupError)) PyErr_Clear();
  }
  if (!member && PyErr_Occurred()) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(member);
}

}  // namespace

std::optional<py::ssize_t> first_replaced(const py::list& origins, const py::list& arrays) {
  for (py::ssize_t i = 0; i < PyList_GET_SIZE(origins.ptr()) && i < PyList_GET_SIZE(arrays.ptr()); ++i) {
    const auto origin = py::reinterpret_borrow<py::object>(PyList_GET_ITEM(origins.ptr(), i));
    if (origin.is_none()) continue;
    const py::object member = found(PyTuple_GET_ITEM(origin.ptr(), 0), PyTuple_GET_ITEM(origin.ptr(), 1));
    if (member && member.ptr() != PyList_GET_ITEM(arrays.ptr(), i)) return i;
  }
  return std::nullopt;
}

}  // namespace fastadam
