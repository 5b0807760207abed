// Which compiled tier runs: the best one that this CPU and operating system support, unless another is forced.
#pragma once

#include <string>
#include <vector>

#include "tier.hpp"

namespace fastadam {

// Tiers of this build, best first, and those among them that can run here.
std::vector<std::string> compiled_isas();
std::vector<std::string> available_isas();

// Its name is valid for ever.
const char* active_isa();

// Forces a tier by name; throws std::invalid_argument, with the list of what would work, for any other.
void set_isa(const std::string& name);

// Those of the active tier.
const Loops& active_loops();

}  // namespace fastadam
