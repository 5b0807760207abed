// The Python module fastadam._native: conversion of arguments and release of the GIL, no logic.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arrays.hpp"
#include "cpu/isa.hpp"
#include "cpu/threads.hpp"
#include "include/fastadam.h"
#include "memory.hpp"
#include "rule.hpp"

namespace py = pybind11;
using namespace fastadam;

namespace {

// The memory of tensors that Python steps by itself, on a device. Addresses are a parameter's and then its states'.
OwnedMemory own_addresses(const std::vector<std::vector<uintptr_t>>& addresses, const std::vector<int64_t>& sizes) {
  OwnedMemory memory;
  for (size_t i = 0; i < addresses.size(); ++i) {
    for (size_t k = 0; k < addresses[i].size(); ++k) {
      const int role = k == 0 ? param_role : state_role + static_cast<int>(k) - 1;
      memory.add(reinterpret_cast<const float*>(addresses[i][k]), sizes[i], {role, i});
    }
  }
  memory.seal();
  return memory;
}

void expect_apart(const OwnedMemory& memory, const std::vector<uintptr_t>& grads, const std::vector<int64_t>& sizes) {
  for (size_t i = 0; i < grads.size(); ++i) {
    memory.expect_apart(reinterpret_cast<const float*>(grads[i]), sizes[i], {grad_role, i});
  }
}

py::bytes bytes_of(const Coefficients& coefficients) {
  return py::bytes(reinterpret_cast<const char*>(coefficients.bytes), coefficients.size);
}

py::bytes average(const Rule& rule, int64_t step) {
  return rule.ema_decay ? bytes_of(rule.average_at_step(step)) : py::bytes();
}

py::dict build_info() {
  py::dict info;
  info["version"] = FASTADAM_VERSION;
  info["compiler"] = FASTADAM_COMPILER;
  info["openmp"] = openmp_runtime();
  info["isas"] = compiled_isas();
  std::vector<std::string> names;
  for (const RuleInfo& rule : rules()) names.push_back(rule.name);
  info["rules"] = names;
  return info;
}

}  // namespace

PYBIND11_MODULE(_native, m, py::mod_gil_not_used()) {
  m.attr("__version__") = FASTADAM_VERSION;
  m.attr("c_api") = py::capsule(fastadam_get_api(), "fastadam.c_api");

  // Raised with (reason, (role, tensor), (other role, other tensor), detail); fastadam.backends.refusals words it.
  static PyObject* const refused = PyErr_NewException("fastadam._native.Refused", PyExc_Exception, nullptr);
  m.attr("Refused") = py::handle(refused);
  py::register_local_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const Refusal& refusal) {
      const auto tuple = [](Place place) { return py::make_tuple(place.role, place.tensor); };
      const auto arguments = py::make_tuple(refusal.reason, tuple(refusal.place), tuple(refusal.other), refusal.detail);
      PyErr_SetObject(refused, arguments.ptr());
    }
  });

  py::class_<Rule>(m, "Rule")
      .def(py::init(&make_rule), py::arg("name"), py::arg("options"), py::arg("ema_decay") = py::none())
      .def_property_readonly("name", [](const Rule& rule) { return rule.info->name; })
      .def_property_readonly("type_name", [](const Rule& rule) { return rule.info->type_name; })
      .def_readonly("options", &Rule::options)
      .def_readonly("flags", &Rule::flags)
      .def_readonly("ema_decay", &Rule::ema_decay)
      .def_property_readonly("state_count", &Rule::state_count)
      .def(
          "coefficients", [](const Rule& rule, int64_t step) { return bytes_of(rule.at_step(step)); }, py::arg("step"))
      .def("average", &average, py::arg("step"));

  py::class_<OwnedMemory>(m, "OwnedMemory")
      .def(py::init(&own_addresses), py::arg("addresses"), py::arg("sizes"))
      .def("expect_apart", &expect_apart, py::arg("grads"), py::arg("sizes"));

  py::class_<ArrayTensors>(m, "Tensors")
      .def(py::init<const py::sequence&, const py::sequence&, const std::vector<size_t>&>(), py::arg("params"),
           py::arg("states"), py::arg("group_sizes"))
      .def("step", &ArrayTensors::step, py::arg("rules"), py::arg("grads"), py::arg("steps"), py::arg("skips"),
           py::arg("gradient_options"), py::arg("threads"));

  m.def("global_norm", &norm_of_arrays, py::arg("grads"), py::arg("threads"));
  m.def("build_info", &build_info);
  m.def("cuda_variants", &cuda_variants);
  m.def("available_isas", &available_isas);
  m.def("active_isa", &active_isa);
  m.def("set_isa", &set_isa, py::arg("name"));
  m.def("set_default_threads", &set_default_threads, py::arg("threads"));
  m.def("effective_threads", &effective_threads, py::arg("requested") = 0);
  m.def("grain", &grain);
  m.def("set_backs_off", &set_backs_off, py::arg("enabled"));
  m.def("set_grain", &set_grain, py::arg("elements"));
}
