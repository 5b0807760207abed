#include "versions.hpp"

#include "../interpreter.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

void call(const py::object& function, py::handle argument) {
  PyObject* const result = call_python([&] { return PyObject_CallOneArg(function.ptr(), argument.ptr()); });
  if (!result) throw py::error_already_set();
  Py_DECREF(result);
}

}  // namespace

TensorVersions::TensorVersions() {
  const auto name = py::str("torch");
  const auto torch = py::reinterpret_steal<py::object>(PyImport_GetModule(name.ptr()));
  if (!torch || !py::hasattr(torch, "Tensor") || !py::hasattr(torch, "_C")) return;  // none, or not imported to the end
  tensor_ = torch.attr("Tensor");
  increment_ = torch.attr("_C").attr("_increment_version");
  try {
    call(increment_, py::list());
    takes_list_ = true;
  } catch (const py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;  // an older torch takes one tensor
  }
}

bool TensorVersions::has(py::handle object) const {
  if (!tensor_) return false;
  return PyType_Check(tensor_.ptr()) && PyObject_TypeCheck(object.ptr(), reinterpret_cast<PyTypeObject*>(tensor_.ptr()));
}

void TensorVersions::increment(const py::list& tensors) const {
  if (tensors.empty()) return;
  if (takes_list_) return call(increment_, tensors);
  for (const py::handle tensor : tensors) call(increment_, tensor);
}

}  // namespace fastadam
