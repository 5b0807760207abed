// The layout of the CUDA kernels' arguments, for Python, and the bytes of some of the structs in them.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>

#include "dtype.hpp"
#include "rule.hpp"
#include "step_options.hpp"

namespace fastadam {

// A numpy.dtype for each struct of cuda/arguments.hpp, by name, for elements of a type (see cuda_types.hpp).
pybind11::dict cuda_structs(DType dtype);

// The constants of cuda/arguments.hpp and rules/norm.hpp, by name.
pybind11::dict cuda_constants();

// The struct Gradients of a group; `verdict` is an address on the device, 0 for none.
pybind11::bytes cuda_gradients(const StepOptions& options, bool maximize, uintptr_t verdict, DType dtype);

// The struct StepCoefficients.
pybind11::bytes cuda_coefficients(const Rule& rule, int64_t step);

}  // namespace fastadam
