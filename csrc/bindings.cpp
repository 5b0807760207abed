// The Python module fastadam._native, which converts arguments and releases the GIL. It has no other logic.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "casters.hpp"
#include "cpu/environment.hpp"
#include "cpu/isa.hpp"
#include "cpu/memory_wall.hpp"
#include "cpu/prefetch.hpp"
#include "cpu/threads.hpp"
#include "cuda_structs.hpp"
#include "exported.hpp"
#include "gpu_arrays.hpp"
#include "held_turn.hpp"
#include "include/fastadam.h"
#include "instances.hpp"
#include "interpreter.hpp"
#include "layout.hpp"
#include "memory.hpp"
#include "origins.hpp"
#include "rule.hpp"
#include "schedules.hpp"
#include "torch/tensors.hpp"

namespace py = pybind11;
using namespace fastadam;

namespace pybind11::detail {
template <>
class type_caster<TorchTensors> : public InitializedCaster<TorchTensors> {};
}  // namespace pybind11::detail

namespace {

template <class Number>
using Numbers = py::array_t<Number, py::array::c_style>;

DType dtype_named(const std::string& name) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    if (name == name_of(dtype)) return dtype;
  }
  throw std::invalid_argument("dtype is '" + name + "'; expected 'float32' or 'float64'");
}

void expect_sizes(size_t count, const std::vector<int64_t>& sizes) {
  if (sizes.size() != count) throw std::invalid_argument("expected a size for each tensor");
}

// The memory of tensors on a device, which Python steps, and how many bytes each array of a tensor has. The addresses of each
// are its parameter's and then its states'.
std::unique_ptr<OwnedMemory> own_addresses(const std::vector<std::vector<uintptr_t>>& addresses,
                                           const std::vector<int64_t>& bytes) {
  expect_sizes(addresses.size(), bytes);
  auto memory = std::make_unique<OwnedMemory>();
  for (size_t i = 0; i < addresses.size(); ++i) {
    for (size_t k = 0; k < addresses[i].size(); ++k) {
      const int role = k == 0 ? param_role : state_role + static_cast<int>(k) - 1;
      memory->add(reinterpret_cast<const void*>(addresses[i][k]), bytes[i], {role, i});
    }
  }
  memory->seal();
  return memory;
}

void expect_apart(const OwnedMemory& memory, const std::vector<uintptr_t>& grads, const std::vector<int64_t>& bytes) {
  expect_sizes(grads.size(), bytes);
  for (size_t i = 0; i < grads.size(); ++i) {
    memory.expect_apart(reinterpret_cast<const void*>(grads[i]), bytes[i], {grad_role, i});
  }
}

std::unique_ptr<StepOptions> step_options(double grad_scale, double clip_value, std::optional<double> max_norm,
                                          bool skip_nonfinite, bool raises_nonfinite, std::optional<double> norm) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const bool prevents = skip_nonfinite || raises_nonfinite;
  return std::make_unique<StepOptions>(StepOptions{grad_scale, clip_value, max_norm.value_or(infinity),
                                                   max_norm || prevents || norm, prevents, raises_nonfinite, norm.has_value(),
                                                   norm.value_or(0)});
}

std::unique_ptr<Rule> rule_of(const std::string& name, const NamedOptions& options, const std::string& dtype,
                              const std::string& state_dtype, const std::optional<std::string>& master, uint32_t seed) {
  auto rule = std::make_unique<Rule>(make_rule(name, options, dtype_named(dtype)));
  rule->set_storage(storage_of(state_dtype, master, seed));
  return rule;
}

std::unique_ptr<Rule> copy_of(const Rule& other) { return std::make_unique<Rule>(other); }

std::unique_ptr<Schedules> schedules_of(const std::vector<Rule>& rules, const std::vector<Schedules::Use>& uses) {
  return std::make_unique<Schedules>(rules, uses);
}

std::unique_ptr<ArrayTensors> tensors_of(const py::sequence& params, const py::sequence& states,
                                         const std::vector<size_t>& group_sizes, std::vector<Rule> rules,
                                         const std::vector<int64_t>& steps) {
  return std::make_unique<ArrayTensors>(params, states, group_sizes, std::move(rules), steps);
}

// The names of the states and their initial values; None for a copy of the parameter.
std::vector<std::pair<std::string, std::optional<double>>> states_of(const Rule& rule) {
  std::vector<std::pair<std::string, std::optional<double>>> states;
  for (const StateInfo& state : rule.states()) states.emplace_back(state.name, rule.start_of(state));
  return states;
}

// The numbers whose codes in C order, with an exponent for each block, these are.
py::array from_8_bits(const Numbers<uint8_t>& codes, const Numbers<uint8_t>& exponents, bool is_square) {
  if (exponents.size() != blocks(codes.size())) throw std::invalid_argument("expected an exponent for each block");
  Numbers<float> numbers(std::vector<py::ssize_t>(codes.shape(), codes.shape() + codes.ndim()));
  const Stored stored{const_cast<uint8_t*>(codes.data()), const_cast<uint8_t*>(exponents.data()),
                      is_square ? Format::log8_square : Format::log8_signed};
  active_kernels(DType::float32).decode(stored, 0, codes.size(), numbers.mutable_data());
  return numbers;
}

// Those whose numbers are never negative.
std::vector<std::string> squares_of(const Rule& rule) {
  std::vector<std::string> names;
  for (const StateInfo& state : rule.states()) {
    if (state.sign == StateInfo::squares) names.emplace_back(state.name);
  }
  return names;
}

bool is_dense_array(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides, int64_t unit) {
  expect_sizes(shape.size(), strides);
  return is_dense(static_cast<int>(shape.size()), shape.data(), strides.data(), unit);
}

// As memory_wall, on the memory of NumPy arrays.
template <class Number>
void memory_wall_of(Numbers<Number>& param, const Numbers<Number>& grad, Numbers<Number>& exp_avg, Numbers<Number>& exp_avg_sq,
                    int threads) {
  for (const py::ssize_t size : {grad.size(), exp_avg.size(), exp_avg_sq.size()}) {
    if (size != param.size()) throw std::invalid_argument("expected arrays of one size");
  }
  const Buffers buffers{param.mutable_data(), grad.data(), {exp_avg.mutable_data(), exp_avg_sq.mutable_data()}};
  const WithoutGil released;
  memory_wall(buffers, sizeof(Number) == sizeof(float) ? DType::float32 : DType::float64, param.size(), threads);
}

std::unique_ptr<TorchTensors> torch_tensors(const std::string& rule_name, const py::object& table, py::object describe,
                                            py::tuple types, py::object local, py::object is_neg, py::object is_conj,
                                            py::object gpu_steps) {
  Exchange exchange(table, std::move(describe), std::move(types), std::move(local), std::move(is_neg), std::move(is_conj));
  return std::make_unique<TorchTensors>(rule_name, std::move(exchange), std::move(gpu_steps));
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

PYBIND11_MODULE(_native_of_main, m, py::mod_gil_not_used()) {
  m.attr("__version__") = FASTADAM_VERSION;
  m.attr("c_api") = py::capsule(fastadam_get_api(), "fastadam.c_api");

  // Raised with (reason, (role, tensor), (other role, other tensor), detail); fastadam.backends.refusals writes the message.
  static PyObject* const refused = PyErr_NewException("fastadam._native.Refused", PyExc_Exception, nullptr);
  m.attr("Refused") = py::handle(refused);
  py::register_local_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const Refusal& refusal) {
      const auto tuple = [](Place place) { return py::make_tuple(place.role, place.tensor); };
      const py::object raised = py::handle(refused)(refusal.reason, tuple(refusal.place), tuple(refusal.other), refusal.detail);
      try {
        std::rethrow_if_nested(refusal);
      } catch (const py::error_already_set& cause) {
        PyException_SetCause(raised.ptr(), cause.value().inc_ref().ptr());
      }
      PyErr_SetObject(refused, raised.ptr());
    }
  });

  // The roles of arrays in refusals: the parameter, its gradient, its states.
  m.attr("PARAM") = param_role;
  m.attr("GRAD") = grad_role;
  m.attr("STATE") = state_role;

  with_init(class_of<StepOptions>(m, "StepOptions"), &step_options, py::arg("grad_scale") = 1.0,
            py::arg("clip_value") = std::numeric_limits<double>::infinity(), py::arg("max_norm") = py::none(),
            py::arg("skip_nonfinite") = false, py::arg("raises_nonfinite") = false, py::arg("norm") = py::none())
      .def_readonly("grad_scale", &StepOptions::grad_scale)
      .def_readonly("clip_value", &StepOptions::clip_value)
      .def_readonly("max_norm", &StepOptions::max_norm)
      .def_readonly("finds_norm", &StepOptions::finds_norm)
      .def_readonly("skip_nonfinite", &StepOptions::skip_nonfinite)
      .def_readonly("raises_nonfinite", &StepOptions::raises_nonfinite)
      .def_readonly("knows_norm", &StepOptions::knows_norm)
      .def_readonly("norm", &StepOptions::norm)
      .def("__repr__",
           [](const StepOptions& options) {
             return py::str(
                        "StepOptions(grad_scale={}, clip_value={}, max_norm={}, finds_norm={}, skip_nonfinite={}, "
                        "raises_nonfinite={}, knows_norm={}, norm={})")
                 .format(options.grad_scale, options.clip_value, options.max_norm, options.finds_norm, options.skip_nonfinite,
                         options.raises_nonfinite, options.knows_norm, options.norm);
           })
      .def("__bytes__",
           [](const StepOptions& options) { return py::bytes(reinterpret_cast<const char*>(&options), sizeof options); });

  with_init(with_init(class_of<Rule>(m, "Rule"), &rule_of, py::arg("name"), py::arg("options"), py::arg("dtype") = "float32",
                      py::arg("state_dtype") = "float32", py::arg("master") = "split", py::arg("seed") = 0),
            &copy_of, py::arg("other"))
      .def_property_readonly("name", [](const Rule& rule) { return rule.info->name; })
      .def_property_readonly("dtype", [](const Rule& rule) { return name_of(rule.dtype); })
      .def_property_readonly("type_name", [](const Rule& rule) { return rule.info->type_name; })
      .def_readonly("options", &Rule::options)
      .def_readonly("flags", &Rule::flags)
      .def_readonly("maximize", &Rule::maximize)
      .def_readonly("ema_decay", &Rule::ema_decay)
      .def_property_readonly("states", &states_of)
      .def_property_readonly("squares", &squares_of)
      .def("keeps_states_of", &Rule::keeps_states_of, py::arg("other"));

  with_init(class_of<Schedules>(m, "Schedules"), &schedules_of, py::arg("rules"), py::arg("uses"))
      .def("ask", &Schedules::ask, py::arg("asks"), py::arg("count"))
      .def(
          "set",
          [](const Schedules& schedules, const py::tuple& values, const std::vector<Rule*>& rules) {
            schedules.set(values, [&](size_t group) -> Rule& { return *rules.at(group); });
          },
          py::arg("values"), py::arg("rules"));

  with_init(class_of<OwnedMemory>(m, "OwnedMemory"), &own_addresses, py::arg("addresses"), py::arg("bytes"))
      .def("expect_apart", &expect_apart, py::arg("grads"), py::arg("bytes"));

  bind_turns(m);
  with_init(class_of<ArrayTensors>(m, "Tensors"), &tensors_of, py::arg("params"), py::arg("states"), py::arg("group_sizes"),
            py::arg("rules"), py::arg("steps"))
      .def("set_rules", &ArrayTensors::set_rules, py::arg("rules"))
      .def("change", [](ArrayTensors& tensors) { return change_of(py::cast(&tensors)); })
      .def("retire", [](ArrayTensors& tensors) { tensors.turns().retire(); })
      .def_property_readonly("device", [](const ArrayTensors&) { return py::none(); })
      .def_property_readonly("is_captured", [](const ArrayTensors&) { return false; })
      .def_property_readonly("steps", [](ArrayTensors& tensors) { return tensors.steps(py::cast(&tensors)); })
      .def_property_readonly("skips", [](ArrayTensors& tensors) { return tensors.skips(py::cast(&tensors)); })
      .def_property("step_count", &ArrayTensors::step_count, &ArrayTensors::set_step_count)
      .def("step", &ArrayTensors::step, py::arg("grads"), py::arg("options"), py::arg("threads"),
           py::arg("asked") = py::none());

  with_init(class_of<TorchTensors>(m, "TorchTensors"), &torch_tensors, py::arg("rule_name"), py::arg("table"),
            py::arg("describe"), py::arg("types"), py::arg("local"), py::arg("is_neg"), py::arg("is_conj"),
            py::arg("gpu_steps"))
      .def("step", &TorchTensors::step, py::arg("groups"), py::arg("state"), py::arg("options"), py::arg("threads"),
           py::arg("without") = py::none(), py::arg("instead") = py::none(), py::arg("first") = py::none(),
           py::arg("only_checks") = false)
      .def("states", &TorchTensors::states, py::arg("group"))
      .def("scalars", &TorchTensors::scalars, py::arg("group"))
      .def_property_readonly("step_count", &TorchTensors::step_count);

  m.def("set_bfloat16_class", &set_bfloat16_class, py::arg("type"));
  m.def(
      "bfloat16_bits",
      [](const py::object& array, std::pair<int, size_t> place) {
        return as_array(array, {place.first, place.second}).attr("view")(py::dtype::of<uint16_t>());
      },
      py::arg("array"), py::arg("place"));
  m.def("from_8_bits", &from_8_bits, py::arg("codes").noconvert(), py::arg("exponents").noconvert(), py::arg("is_square"));
  m.def("global_norm", &norm_of_arrays, py::arg("grads"), py::arg("threads"));
  m.def("norm_part", &norm_part_of_arrays, py::arg("grads"), py::arg("begins"), py::arg("sizes"), py::arg("scale"),
        py::arg("threads"));
  m.def("combined_norm", &combined_norm_of, py::arg("parts"), py::arg("scale"));
  m.def("is_dense", &is_dense_array, py::arg("shape"), py::arg("strides"), py::arg("unit"));
  m.def("first_replaced", &first_replaced, py::arg("origins"), py::arg("arrays"));
  m.def("memory_wall", &memory_wall_of<float>, py::arg("param").noconvert(), py::arg("grad").noconvert(),
        py::arg("exp_avg").noconvert(), py::arg("exp_avg_sq").noconvert(), py::arg("threads"));
  m.def("memory_wall", &memory_wall_of<double>, py::arg("param").noconvert(), py::arg("grad").noconvert(),
        py::arg("exp_avg").noconvert(), py::arg("exp_avg_sq").noconvert(), py::arg("threads"));
  m.def("build_info", &build_info);
  m.def("cuda_variants", &cuda_variants);
  m.def("cuda_structs", [](const std::string& dtype) { return cuda_structs(dtype_named(dtype)); }, py::arg("dtype"));
  m.def("cuda_constants", &cuda_constants);
  m.def(
      "cuda_gradients",
      [](const StepOptions& options, const Rule& rule, uintptr_t verdict) {
        return cuda_gradients(options, rule.maximize, verdict, rule.dtype);
      },
      py::arg("options"), py::arg("rule"), py::arg("verdict"));
  m.def("cuda_coefficients", &cuda_coefficients, py::arg("rule"), py::arg("step"));
  m.def("gpu_addresses", &gpu_addresses, py::arg("arrays"), py::arg("layouts"), py::arg("array_type"), py::arg("alignment"));
  m.def("references_to", &references_to, py::arg("objects"));
  m.def("are_references_to", &are_references_to, py::arg("references"), py::arg("objects"));
  m.def("available_isas", &available_isas);
  m.def("active_isa", &active_isa);
  m.def("set_isa", &set_isa, py::arg("name"));
  m.def("apply_environment", &apply_environment, py::arg("threads"));
  m.def("threads_asked", &threads_asked, py::arg("fastadam_num_threads"), py::arg("omp_num_threads"), py::arg("otherwise"));
  m.def("set_default_threads", &set_default_threads, py::arg("threads"));
  m.def("effective_threads", &effective_threads, py::arg("requested") = 0);
  m.def("prefetch_distance", py::overload_cast<>(&prefetch_distance));
  m.def("set_prefetch_distance", &set_prefetch_distance, py::arg("elements"));
  m.def("grain", &grain);
  m.def("set_backs_off", &set_backs_off, py::arg("enabled"));
  m.def("set_grain", &set_grain, py::arg("elements"));
}

// pybind11 would wait forever in a sub-interpreter (of Python 3.11; later ones are refused only if they are isolated).
extern "C" PYBIND11_EXPORT PyObject* PyInit__native() {
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    PyErr_SetString(PyExc_ImportError,
                    "fastadam cannot be imported in a sub-interpreter; import it in the main one, or use multiprocessing");
    return nullptr;
  }
  return PyInit__native_of_main();
}
