#include "threads.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <limits>

#if defined(_OPENMP)
#include <omp.h>
#endif
#if __has_include(<pthread.h>)
#include <pthread.h>
#define FASTADAM_HAS_FORK
#endif
#if __has_include(<dlfcn.h>)
#include <dlfcn.h>
#endif

namespace fastadam {
namespace {

std::atomic<int> default_threads{1};
std::atomic<bool> may_back_off{true};

// docs/implementation-selection.md has the measurement behind this number.
std::atomic<int64_t> elements_per_thread{32768};

#if defined(_OPENMP)

// GNU's OpenMP keeps its worker threads in a pool. A forked child inherits the pool without the threads, and its next parallel
// region waits for them forever. Another library may have created the pool, so every forked child stays serial.
std::atomic<bool> forked{false};

#if defined(FASTADAM_HAS_FORK)
[[maybe_unused]] const int fork_handler = pthread_atfork(nullptr, nullptr, [] { forked = true; });
#endif

// What omp_get_max_threads() returns unless something has limited it, as it may have before this library was loaded. Of text in
// OMP_NUM_THREADS that is no number, each OpenMP library makes what it likes.
const int unlimited_threads = [] {
  const char* text = std::getenv("OMP_NUM_THREADS");
  if (!text) return omp_get_num_procs();
  char* end;
  const long long asked = std::strtoll(text, &end, 10);
  while (std::isspace(static_cast<unsigned char>(*end))) ++end;
  const bool is_number = (*end == '\0' || *end == ',') && asked > 0 && asked <= std::numeric_limits<int>::max();
  return is_number ? static_cast<int>(asked) : omp_get_max_threads();
}();

// OMP_THREAD_LIMIT, which is of the whole process.
int thread_limit() {
#if _OPENMP >= 200805
  return omp_get_thread_limit();
#else
  return std::numeric_limits<int>::max();
#endif
}

#endif

}  // namespace

void set_default_threads(int threads) { default_threads = threads; }

int effective_threads(int requested) {
  int threads = requested > 0 ? requested : default_threads.load();
#if defined(_OPENMP)
  if (forked) return 1;
  threads = std::min(threads, thread_limit());
  const int limit = omp_get_max_threads();
  return limit > 0 && limit < unlimited_threads ? std::min(threads, limit) : threads;
#else
  (void)threads;
  return 1;
#endif
}

int64_t grain() { return elements_per_thread; }

void set_grain(int64_t elements) { elements_per_thread = elements; }

bool backs_off() { return may_back_off; }

void set_backs_off(bool enabled) { may_back_off = enabled; }

std::string openmp_runtime() {
#if !defined(_OPENMP)
  return "none";
#else
  std::string runtime = "OpenMP " + std::to_string(_OPENMP);
#if __has_include(<dlfcn.h>)
  // The library in use, which need not be the one linked against: the first one loaded under a name serves all modules.
  Dl_info library;
  if (dladdr(reinterpret_cast<void*>(omp_get_max_threads), &library) && library.dli_fname) {
    runtime += std::string(", ") + library.dli_fname;
  }
#endif
  return runtime;
#endif
}

}  // namespace fastadam
