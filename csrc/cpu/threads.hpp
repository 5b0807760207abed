// How many threads a step may use: the default, OpenMP's own limit, and what a forked child can do.
#pragma once

#include <cstdint>
#include <string>

namespace fastadam {

// The process-wide thread count of steps that name none.
void set_default_threads(int threads);

// The number of threads a large step asked for `requested` threads uses (0: the default) when called from this thread:
// fewer if somebody lowered OpenMP's own limit, as threadpoolctl does, and one in a forked child or a serial build.
int effective_threads(int requested);

// The fewest elements worth a thread of their own; a step of less than twice as many is serial.
int64_t grain();
void set_grain(int64_t elements);

// Whether a step may go serial because threads did not pay lately; tests of threads turn it off.
bool backs_off();
void set_backs_off(bool enabled);

// The OpenMP library this process runs, e.g. "OpenMP 201511, libgomp.so.1", or "none".
std::string openmp_runtime();

}  // namespace fastadam
