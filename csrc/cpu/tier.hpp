// What a tier object offers the rest: plain data and one function. This header emits no code (tier.cpp says why).
#pragma once

#include <stdint.h>

#include "../buffers.hpp"

namespace fastadam {

enum class RuleId;

// Applies the rule whose coefficients are at `rule` to the elements [begin, end) of `buffers`.
using Kernel = void (*)(const void* rule, const Buffers& buffers, int64_t begin, int64_t end);

// The kernel of a rule and a combination of its flags. Every tier defines one such function.
using KernelTable = Kernel (*)(RuleId rule, unsigned flags);

}  // namespace fastadam
