// Which instruction set runs: the best compiled one that this CPU and operating system support, unless another is forced.
#pragma once

#include <string>
#include <vector>

#include "kernels.hpp"

namespace fastadam {

// The instruction sets of this build, best first, and those among them that can run here.
std::vector<std::string> compiled_isas();
std::vector<std::string> available_isas();

// Its name is valid for ever.
const char* active_isa();

// Forces one by name; throws std::invalid_argument, with the list of what would work, for any other.
void set_isa(const std::string& name);

// Those of the active one.
const Kernels& active_kernels();

}  // namespace fastadam
