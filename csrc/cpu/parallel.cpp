#include "parallel.hpp"

#include <algorithm>
#include <bit>

#include "backoff.hpp"
#include "float_env.hpp"
#include "threads.hpp"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace fastadam {
namespace {

constexpr int64_t line = 64 / sizeof(float);  // elements in a cache line

// The elements of all tasks laid end to end.
class Work {
 public:
  explicit Work(const std::vector<Task>& tasks) : tasks_(tasks) {
    starts_.reserve(tasks.size());
    for (const Task& task : tasks) {
      starts_.push_back(size_);
      size_ += task.size;
    }
  }

  int64_t size() const { return size_; }

  void run(int64_t begin, int64_t end) const {
    auto i = static_cast<size_t>(std::upper_bound(starts_.begin(), starts_.end(), begin) - starts_.begin()) - 1;
    for (; i < tasks_.size() && starts_[i] < end; ++i) {
      run_task(tasks_[i], std::max<int64_t>(begin - starts_[i], 0), std::min(end - starts_[i], tasks_[i].size));
    }
  }

 private:
  void run_task(const Task& task, int64_t begin, int64_t end) const {
    // Vectors that straddle cache lines cost up to a sixth. NumPy's large arrays all lie 16 bytes after one.
    const auto misaligned =
        static_cast<int64_t>(reinterpret_cast<uintptr_t>(task.buffers.param + begin) / sizeof(float)) % line;
    if (misaligned != 0 && end - begin >= 256 * line) {
      const int64_t aligned = begin + line - misaligned;
      task.kernel(task.rule->bytes, task.buffers, begin, aligned);
      begin = aligned;
    }
    if (begin < end) task.kernel(task.rule->bytes, task.buffers, begin, end);
  }

  const std::vector<Task>& tasks_;
  std::vector<int64_t> starts_;
  int64_t size_ = 0;
};

#if defined(_OPENMP)

// One for each order of magnitude (a power of two) of a step's size.
Backoff backoffs[64];

// Runs the work on a team, and returns how much longer that took than doing it all on this thread would have.
Backoff::Clock::duration run_on_team(const Work& work, int team) {
  using Clock = Backoff::Clock;
  const auto start = Clock::now();
  Clock::duration own{};  // what this thread needs for its share
  int members = 1;
#pragma omp parallel num_threads(team)
  {
    const DefaultFloatEnv float_env;
    // Equal shares, cut at whole cache lines so that no two threads write to the same one.
    const int64_t count = omp_get_num_threads(), member = omp_get_thread_num();
    const int64_t lines = (work.size() + line - 1) / line;
    const int64_t share = lines / count, extra = lines % count;
    const int64_t begin = (share * member + std::min(member, extra)) * line;
    const int64_t end = begin + (share + (member < extra ? 1 : 0)) * line;
    const auto from = Clock::now();
    work.run(begin, std::min(end, work.size()));
    if (member == 0) {
      own = Clock::now() - from;
      members = static_cast<int>(count);
    }
  }
  return Clock::now() - start - members * own;
}

#endif

}  // namespace

void run_tasks(const std::vector<Task>& tasks, int threads) {
  const Work work(tasks);
  if (work.size() == 0) return;
#if defined(_OPENMP)
  const int64_t worth = work.size() / std::max<int64_t>(grain(), 1);
  const int team = static_cast<int>(std::min<int64_t>(effective_threads(threads), worth));
  Backoff& backoff = backoffs[std::bit_width(static_cast<uint64_t>(work.size()))];
  if (team > 1 && !(backs_off() && backoff.resting(Backoff::Clock::now()))) {
    const auto lost = run_on_team(work, team);
    return backoff.record(Backoff::Clock::now(), lost);
  }
#endif
  (void)threads;
  work.run(0, work.size());
}

}  // namespace fastadam
