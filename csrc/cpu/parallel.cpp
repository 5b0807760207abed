#include "parallel.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "float_env.hpp"

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

// docs/implementation-selection.md has the measurement behind this number.
std::atomic<int64_t> elements_per_thread{16384};

#if defined(_OPENMP)

// GNU's OpenMP keeps its worker threads in a pool that a forked child inherits without the threads in it; the child's next
// parallel region waits for them for ever. The pool may be another library's doing, so every forked child stays serial.
std::atomic<bool> forked{false};

#if defined(FASTADAM_HAS_FORK)
[[maybe_unused]] const int fork_handler = pthread_atfork(nullptr, nullptr, [] { forked = true; });
#endif

// What omp_get_max_threads() returns while nobody has limited it.
int unlimited_threads() {
  static const int threads = [] {
    const char* variable = std::getenv("OMP_NUM_THREADS");
    const int asked = variable ? std::atoi(variable) : 0;
    return asked > 0 ? asked : omp_get_num_procs();
  }();
  return threads;
}

#endif

// Runs the elements [begin, end) of all tasks laid end to end. `starts` holds each task's first element in that order.
void run_span(Kernel kernel, const std::vector<Task>& tasks, const std::vector<int64_t>& starts, int64_t begin, int64_t end) {
  const DefaultFloatEnv float_env;
  auto task = static_cast<size_t>(std::upper_bound(starts.begin(), starts.end(), begin) - starts.begin()) - 1;
  for (; task < tasks.size() && starts[task] < end; ++task) {
    const int64_t first = std::max<int64_t>(begin - starts[task], 0);
    const int64_t last = std::min(end - starts[task], tasks[task].size);
    if (first < last) kernel(tasks[task].rule, tasks[task].buffers, first, last);
  }
}

}  // namespace

void run_tasks(Kernel kernel, const std::vector<Task>& tasks, int threads) {
  std::vector<int64_t> starts;
  starts.reserve(tasks.size());
  int64_t total = 0;
  for (const Task& task : tasks) {
    starts.push_back(total);
    total += task.size;
  }
  if (total == 0) return;
  const int64_t worth = std::max<int64_t>(total / std::max<int64_t>(grain(), 1), 1);
  const int team = static_cast<int>(std::min<int64_t>(effective_threads(threads), worth));
#if defined(_OPENMP)
  if (team > 1) {
#pragma omp parallel num_threads(team)
    {
      // Equal shares, cut at whole cache lines so that no two threads write to the same one.
      constexpr int64_t line = 16;
      const int64_t lines = (total + line - 1) / line;
      const int64_t members = omp_get_num_threads(), member = omp_get_thread_num();
      const int64_t share = lines / members, extra = lines % members;
      const int64_t begin = (share * member + std::min(member, extra)) * line;
      const int64_t end = begin + (share + (member < extra ? 1 : 0)) * line;
      run_span(kernel, tasks, starts, begin, std::min(end, total));
    }
    return;
  }
#endif
  (void)team;
  run_span(kernel, tasks, starts, 0, total);
}

void set_default_threads(int threads) { default_threads = threads; }

int effective_threads(int requested) {
  const int threads = requested > 0 ? requested : default_threads.load();
#if defined(_OPENMP)
  if (forked) return 1;
  const int limit = omp_get_max_threads();
  return limit < unlimited_threads() ? std::min(threads, limit) : threads;
#else
  (void)threads;
  return 1;
#endif
}

int64_t grain() { return elements_per_thread; }

void set_grain(int64_t elements) { elements_per_thread = elements; }

std::string openmp_runtime() {
#if !defined(_OPENMP)
  return "none";
#else
  std::string runtime = "OpenMP " + std::to_string(_OPENMP);
#if __has_include(<dlfcn.h>)
  // The library that answers, which need not be the one that was linked: the first loaded of a name serves all.
  Dl_info library;
  if (dladdr(reinterpret_cast<void*>(omp_get_max_threads), &library) && library.dli_fname) {
    runtime += std::string(", ") + library.dli_fname;
  }
#endif
  return runtime;
#endif
}

}  // namespace fastadam
