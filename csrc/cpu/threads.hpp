// How many threads a step may use: the default, OpenMP's own limit, and the limit of a forked child.
#pragma once

#include <cstdint>
#include <string>

namespace fastadam {

// The default number of threads of the process, for steps that do not specify one.
void set_default_threads(int threads);

// How many threads a large step uses if it is called from this thread and may use `requested` threads (0: the default). These
// are fewer if OpenMP's own limit was lowered, as threadpoolctl does, and one in a forked child or a build without OpenMP.
int effective_threads(int requested);

// The fewest elements for each thread; a step of less than twice as many is serial.
int64_t grain();
void set_grain(int64_t elements);

// Whether a step may be serial because threads have not paid off lately. Tests of threads turn this off.
bool backs_off();
void set_backs_off(bool enabled);

// The OpenMP library this process runs, e.g. "OpenMP 201511, libgomp.so.1", or "none".
std::string openmp_runtime();

}  // namespace fastadam
