// Python objects of the native classes, where memory runs out or __init__ was not called. pybind11's own would end the process.
#pragma once

#include <pybind11/pybind11.h>

#include <exception>
#include <memory>
#include <new>
#include <utility>

namespace fastadam {

// Takes instances of T that __init__ has made. Of one that __new__ left alone, pybind11 would use uninitialized memory.
template <class T>
struct InitializedCaster : pybind11::detail::type_caster_base<T> {
  bool load(pybind11::handle source, bool convert) {
    if (!source || !PyObject_TypeCheck(source.ptr(), this->typeinfo->type)) return false;
    auto* const instance = reinterpret_cast<pybind11::detail::instance*>(source.ptr());
    if (!instance->get_value_and_holder().holder_constructed()) return false;
    return pybind11::detail::type_caster_base<T>::load(source, convert);
  }
};

// As pybind11's, which uses the memory of an instance whether or not there is any.
inline PyObject* new_instance(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* const self = type->tp_alloc(type, 0);
  if (!self) return nullptr;
  try {
    reinterpret_cast<pybind11::detail::instance*>(self)->allocate_layout();
    return self;
  } catch (const std::exception&) {
    // Not by its destructor, which expects a layout.
    if (PyType_IS_GC(type)) PyObject_GC_UnTrack(self);
    type->tp_free(self);
    Py_DECREF(type);
    return PyErr_NoMemory();
  }
}

template <class T>
pybind11::class_<T> class_of(pybind11::module_& module, const char* name) {
  const auto setup = [](PyHeapTypeObject* type) { type->ht_type.tp_new = &new_instance; };
  return pybind11::class_<T>(module, name, pybind11::custom_type_setup(setup));
}

// Defines __init__ by a function that makes a T. pybind11's registers the instance where no exception may leave.
template <class T, class... Arguments, class... Extra>
pybind11::class_<T> with_init(pybind11::class_<T> cls, std::unique_ptr<T> (*make)(Arguments...), const Extra&... extra) {
  const auto init = [make](pybind11::detail::value_and_holder& instance, Arguments... arguments) {
    std::unique_ptr<T> made = make(std::forward<Arguments>(arguments)...);
    instance.value_ptr() = made.get();
    try {
      instance.type->init_instance(instance.inst, &made);
    } catch (...) {
      instance.value_ptr() = nullptr;  // `made` is freed here
      throw;
    }
  };
  return cls.def("__init__", init, pybind11::detail::is_new_style_constructor(), extra...);
}

}  // namespace fastadam
