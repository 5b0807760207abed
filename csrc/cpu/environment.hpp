// What the environment asks of this process, for Python and for programs without it: FASTADAM_ISA is an instruction set,
// FASTADAM_NUM_THREADS the number of threads (else the first number of OMP_NUM_THREADS), FASTADAM_PREFETCH how many elements
// ahead large steps prefetch. An empty variable counts as unset.
#pragma once

namespace fastadam {

// Applies all of it, or throws std::invalid_argument that names a variable and changes nothing. `threads` is the number of
// threads if no variable says it.
void apply_environment(int threads);

// Does so with the number of threads that OpenMP would use, unless apply_environment has succeeded before.
void ensure_environment();

// The number of threads that the two variables ask for, which may be null, or else `otherwise`. Text in OMP_NUM_THREADS that is
// no number is ignored, as OpenMP does; in FASTADAM_NUM_THREADS it throws std::invalid_argument.
int threads_asked(const char* fastadam_num_threads, const char* omp_num_threads, int otherwise);

}  // namespace fastadam
