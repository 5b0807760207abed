// How far ahead of their elements the kernels of a step prefetch. On Intel's CPUs the square roots and divisions fill the
// window of instructions in flight, so that too few loads from memory are under way at once. On AMD's, prefetching made steps
// slower. docs/implementation-selection.md has the measurements. Results do not depend on it.
#pragma once

#include <cstdint>

namespace fastadam {

// For a step of `elements` in all: 0 if they are so few that they may lie in the second-level cache, where prefetching only
// costs instructions, or if this CPU is not to prefetch.
int64_t prefetch_distance(int64_t elements);

// How far large steps prefetch, in elements; 0: not at all. The default is chosen by the CPU's vendor.
int64_t prefetch_distance();
void set_prefetch_distance(int64_t elements);

}  // namespace fastadam
