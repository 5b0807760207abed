#include "thread_room.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#if defined(_OPENMP) && __has_include(<pthread.h>)
#include <pthread.h>
#define FASTADAM_TRIES_THREADS
#endif
#if defined(__linux__)
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace fastadam {

#if defined(FASTADAM_TRIES_THREADS)

namespace {

using Clock = std::chrono::steady_clock;

// How long a thread that could not have its team waits before it tries again.
constexpr Clock::duration pause = std::chrono::seconds(1);

// Of the thread that has room for a team which does not exist yet.
std::mutex trial;

thread_local int last_team = 1;
thread_local Clock::time_point next_trial{};

// OpenMP ends surplus threads when a team shrinks. Teams that shrink and grow in turn rely for a while on the trial of the
// largest: on the number of threads of this process that there was room for. Unless another thread has had a trial since.
thread_local int proven_threads = 0;
thread_local Clock::time_point proven_until{};
const int* latest_trial = nullptr;  // the last_team of the thread that had it

// The size that a variable gives to the stacks of OpenMP's threads, in bytes: a number and one of the letters b, k (the
// default), m and g. 0 if there is no variable, or other text, which OpenMP ignores.
size_t stack_size_of(const char* variable) {
  const char* text = std::getenv(variable);
  if (!text) return 0;
  const auto skip_spaces = [](const char* from) {
    while (*from == ' ' || (*from >= '\t' && *from <= '\r')) ++from;
    return from;
  };
  char* end;
  const unsigned long long number = std::strtoull(text, &end, 10);
  const char* rest = skip_spaces(end);
  int shift = 10;
  for (const auto& [letter, bits] : {std::pair{'b', 0}, {'k', 10}, {'m', 20}, {'g', 30}}) {
    if ((*rest | 0x20) == letter) {
      shift = bits;
      rest = skip_spaces(rest + 1);
      break;
    }
  }
  const bool is_size = end != text && *rest == '\0' && number < (~0ULL >> shift);
  return is_size ? static_cast<size_t>(number << shift) : 0;
}

// Read when this library is loaded, as OpenMP does.
const size_t stack_size = [] {
  const size_t size = stack_size_of("OMP_STACKSIZE");
  return size > 0 ? size : stack_size_of("GOMP_STACKSIZE");
}();

// A thread that exists until the gate opens, and what the system calls it.
struct Tried {
  std::mutex* gate;
  pthread_t thread;
  long number;
};

void* wait_at_gate(void* argument) {
  auto* const tried = static_cast<Tried*>(argument);
#if defined(__linux__)
  tried->number = syscall(SYS_gettid);
#endif
  const std::lock_guard<std::mutex> passing(*tried->gate);
  return nullptr;
}

// Waits until the system does not count a thread that was joined, which takes it some more microseconds.
void expect_gone([[maybe_unused]] long number) {
#if defined(__linux__)
  const auto end = Clock::now() + std::chrono::milliseconds(100);
  while (syscall(SYS_tgkill, getpid(), number, 0) == 0 && Clock::now() < end) std::this_thread::yield();
#endif
}

// How many threads this process has, those included that are about to be gone. Nothing if the system does not say.
std::optional<int> count_threads() {
#if defined(__linux__)
  struct stat tasks;
  if (stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink > 2) return static_cast<int>(tasks.st_nlink) - 2;
#endif
  return std::nullopt;
}

// Whether so many more are as many as there was room for in the last trial. Those that OpenMP ends need some microseconds.
bool is_proven(int more) {
  const auto end = Clock::now() + std::chrono::microseconds(200);
  if (end >= proven_until || latest_trial != &last_team) return false;
  for (;;) {
    const std::optional<int> threads = count_threads();
    if (threads && *threads + more <= proven_threads) return true;
    if (!threads || Clock::now() > end) return false;
    std::this_thread::yield();
  }
}

// How many threads can exist in addition to those that do, up to `wanted`.
int count_creatable(int wanted) {
  std::mutex gate;
  std::vector<Tried> threads(static_cast<size_t>(wanted), Tried{&gate, {}, 0});
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return 0;
  if (stack_size > 0) pthread_attr_setstacksize(&attributes, stack_size);  // as OpenMP does, which ignores a failure too
  int count = 0;
  {
    const std::lock_guard<std::mutex> closed(gate);
    while (count < wanted && pthread_create(&threads[count].thread, &attributes, wait_at_gate, &threads[count]) == 0) ++count;
  }
  pthread_attr_destroy(&attributes);
  for (int i = 0; i < count; ++i) pthread_join(threads[i].thread, nullptr);
  for (int i = 0; i < count; ++i) expect_gone(threads[i].number);
  return count;
}

}  // namespace

ThreadRoom::ThreadRoom(int team) : team_(team) {
  if (team > last_team && Clock::now() >= next_trial) {
    lock_ = std::unique_lock(trial);
    int more = team - last_team;
    if (!is_proven(more)) {
      const int before = count_threads().value_or(0);
      const int created = count_creatable(more + 1);  // one to spare
      (created <= more ? next_trial : proven_until) = Clock::now() + pause;
      more = std::max(created - 1, 0);
      proven_threads = before + more;
      latest_trial = &last_team;
    }
    team_ = last_team + more;
  } else {
    team_ = std::min(team, last_team);
  }
  last_team = team_;
}

#else

ThreadRoom::ThreadRoom(int team) : team_(team) {}

#endif

void ThreadRoom::release() {
  if (lock_.owns_lock()) lock_.unlock();
}

}  // namespace fastadam
