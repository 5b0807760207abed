#include "cuda_structs.hpp"

#include <string>

#include "cuda/arguments.hpp"
#include "cuda_types.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

py::object format_of(const Layout& layout) {
  py::object format = py::str(layout.number);
  if (layout.number.empty()) {
    py::list names, formats, offsets;
    for (const auto& [name, offset, member] : layout.members) {
      names.append(name);
      formats.append(format_of(member));
      offsets.append(offset);
    }
    format = py::dtype(names, formats, offsets, static_cast<py::ssize_t>(layout.size));
  }
  return layout.count > 0 ? py::make_tuple(format, py::make_tuple(layout.count)) : format;
}

}  // namespace

extern const CudaTypes cuda_types_float32, cuda_types_float64;

const CudaTypes& cuda_types_of(DType dtype) { return dtype == DType::float32 ? cuda_types_float32 : cuda_types_float64; }

py::dict cuda_structs(DType dtype) {
  py::dict structs;
  for (const auto& [name, layout] : cuda_types_of(dtype).structs()) structs[name.c_str()] = format_of(layout);
  return structs;
}

py::dict cuda_constants() {
  py::dict constants;
  constants["most_words"] = most_words;
  constants["norm_lanes"] = norm_lanes;
  constants["norm_chunk"] = norm_chunk;
  return constants;
}

py::bytes cuda_gradients(const StepOptions& options, bool maximize, uintptr_t verdict, DType dtype) {
  return cuda_types_of(dtype).gradients(options, maximize, verdict);
}

py::bytes cuda_coefficients(const Rule& rule, int64_t step) {
  // The average comes first: two numbers of the elements' type.
  std::string bytes(static_cast<size_t>(2 * size_of(rule.dtype)), '\0');
  if (rule.ema_decay) {
    const Coefficients average = rule.average_at_step(step);
    std::memcpy(bytes.data(), average.bytes, average.size);
  }
  const Coefficients coefficients = rule.at_step(step);
  return bytes.append(reinterpret_cast<const char*>(coefficients.bytes), coefficients.size);
}

}  // namespace fastadam
