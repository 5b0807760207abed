// The Python module fastadam._native: conversion of arguments and release of the GIL, no logic.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cpu/isa.hpp"
#include "cpu/tensors.hpp"
#include "cpu/threads.hpp"
#include "memory.hpp"
#include "rule.hpp"

namespace py = pybind11;
using namespace fastadam;

namespace {

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

// The memory of an array if a kernel may work on it in place; throws Refusal otherwise.
float* float32_memory(const py::array& array, Place place, bool writeable) {
  using Flags = py::detail::npy_api;
  const auto has = [&](int flag) { return (array.flags() & flag) != 0; };
  // Almost always the first two comparisons decide. Native order may also be spelled out, as ctypes does.
  const py::dtype dtype = array.dtype();
  const bool is_float32 = dtype.num() == Flags::NPY_FLOAT_ && (dtype.byteorder() == '=' || dtype.equal(py::dtype::of<float>()));
  if (!is_float32) throw Refusal("dtype", place);
  if (!has(Flags::NPY_ARRAY_C_CONTIGUOUS_)) throw Refusal("layout", place);
  if (!has(Flags::NPY_ARRAY_ALIGNED_)) throw Refusal("alignment", place);
  if (writeable && !has(Flags::NPY_ARRAY_WRITEABLE_)) throw Refusal("read-only", place);
  return const_cast<float*>(static_cast<const float*>(array.data()));
}

void expect_shape(const py::array& array, const py::array& param, Place place) {
  const bool same = array.ndim() == param.ndim() && std::equal(array.shape(), array.shape() + array.ndim(), param.shape());
  if (!same) throw Refusal("shape", place, {param_role, place.tensor});
}

// Tensors over arrays of the CPU, which it keeps alive.
class ArrayTensors {
 public:
  ArrayTensors(const py::sequence& params, const py::sequence& states) {
    for (size_t i = 0; i < params.size(); ++i) {
      Buffers buffers{};
      buffers.param = own(params[i], {param_role, i});
      const py::array param = owned_.back().array;
      const py::sequence state = states[i];
      for (size_t k = 0; k < state.size(); ++k) {
        const Place place{state_role + static_cast<int>(k), i};
        buffers.state[k] = own(state[k], place);
        expect_shape(owned_.back().array, param, place);
      }
      params_.push_back(param);
      tensors_.add(buffers, param.size(), static_cast<int>(state.size()));
    }
    tensors_.seal();
  }

  void step(const Rule& rule, const py::sequence& grads, py::array_t<int64_t>& steps, int threads) const {
    for (const Owned& owned : owned_) {
      const bool moved = float32_memory(owned.array, owned.place, true) != owned.memory || owned.array.size() != owned.size;
      if (moved) throw Refusal("moved", owned.place);
    }
    // The sequence may make its members on demand, and another thread may change it while the GIL is released.
    std::vector<py::array> alive;
    std::vector<const float*> memory;
    for (size_t i = 0; i < params_.size(); ++i) {
      alive.push_back(as_array(grads[i], {grad_role, i}));
      memory.push_back(float32_memory(alive.back(), {grad_role, i}, false));
      expect_shape(alive.back(), params_[i], {grad_role, i});
    }
    int64_t* const counts = steps.mutable_data();
    const py::gil_scoped_release released;
    tensors_.step(rule, memory, counts, threads);
  }

 private:
  struct Owned {
    py::array array;
    float* memory;
    py::ssize_t size;
    Place place;
  };

  float* own(const py::object& object, Place place) {
    const py::array array = as_array(object, place);
    float* const memory = float32_memory(array, place, true);
    owned_.push_back({array, memory, array.size(), place});
    return memory;
  }

  Tensors tensors_;
  std::vector<py::array> params_;
  std::vector<Owned> owned_;
};

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

py::bytes coefficients(const Rule& rule, int64_t step) {
  const Coefficients result = rule.at_step(step);
  return py::bytes(reinterpret_cast<const char*>(result.bytes), rule.info->size);
}

Rule make_rule(const std::string& name, const std::map<std::string, double>& options, const std::set<std::string>& flags) {
  for (const RuleInfo& info : rules()) {
    if (info.name != name) continue;
    Rule rule{&info, {}, 0};
    for (const std::string& option : info.options) rule.options.push_back(options.at(option));
    for (size_t k = 0; k < info.flags.size(); ++k) rule.flags |= static_cast<unsigned>(flags.count(info.flags[k])) << k;
    return rule;
  }
  throw py::value_error("no rule is called '" + name + "'");
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

  // Raised with (reason, (role, tensor), (other role, other tensor), detail); fastadam.refusals words it.
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
      .def(py::init(&make_rule), py::arg("name"), py::arg("options"), py::arg("flags"))
      .def_property_readonly("name", [](const Rule& rule) { return rule.info->name; })
      .def_property_readonly("type_name", [](const Rule& rule) { return rule.info->type_name; })
      .def_readonly("options", &Rule::options)
      .def_readonly("flags", &Rule::flags)
      .def_property_readonly("state_count", &Rule::state_count)
      .def("coefficients", &coefficients, py::arg("step"));

  py::class_<OwnedMemory>(m, "OwnedMemory")
      .def(py::init(&own_addresses), py::arg("addresses"), py::arg("sizes"))
      .def("expect_apart", &expect_apart, py::arg("grads"), py::arg("sizes"));

  py::class_<ArrayTensors>(m, "Tensors")
      .def(py::init<const py::sequence&, const py::sequence&>(), py::arg("params"), py::arg("states"))
      .def("step", &ArrayTensors::step, py::arg("rule"), py::arg("grads"), py::arg("steps").noconvert(), py::arg("threads"));

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
