// The layout of the CUDA kernels' arguments, for Python, and the bytes of some of the structs in them.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>

#include "rule.hpp"
#include "step_options.hpp"

namespace fastadam {

// A numpy.dtype for each struct of cuda/arguments.hpp, by name. Pointers are int64; "coefficients" has room for those of any
// rule.
pybind11::dict cuda_structs();

// The constants of cuda/arguments.hpp and rules/norm.hpp, by name.
pybind11::dict cuda_constants();

// The struct Gradients of a group; `verdict` is an address on the device, 0 for none.
pybind11::bytes cuda_gradients(const StepOptions& options, bool maximize, uintptr_t verdict);

// The struct StepCoefficients.
pybind11::bytes cuda_coefficients(const Rule& rule, int64_t step);

}  // namespace fastadam
