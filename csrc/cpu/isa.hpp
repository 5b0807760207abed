// The active instruction set: the best one of this build that the CPU and operating system support, unless another is forced.
#pragma once

#include <string>
#include <vector>

#include "../dtype.hpp"
#include "kernels.hpp"

namespace fastadam {

// The instruction sets of this build, best first, and those of them that this machine supports.
std::vector<std::string> compiled_isas();
std::vector<std::string> available_isas();

// The name remains valid forever.
const char* active_isa();

// Forces an available instruction set by name; throws std::invalid_argument, with the list of these, for any other name.
void set_isa(const std::string& name);

// The kernels of the active instruction set.
const Kernels& active_kernels(DType dtype);

}  // namespace fastadam
