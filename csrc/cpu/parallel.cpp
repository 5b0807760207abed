#include "parallel.hpp"

#include <time.h>

#include <algorithm>
#include <bit>
#include <chrono>

#include "backoff.hpp"
#include "float_env.hpp"
#include "thread_room.hpp"
#include "threads.hpp"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace fastadam {
namespace {

#if defined(_OPENMP)

// One for each power of two of the work's size.
Backoff backoffs[64];

using Clock = Backoff::Clock;

// How long this thread has had a CPU; how long it has been in all, if the system does not tell.
Clock::duration cpu_time() {
#if defined(CLOCK_THREAD_CPUTIME_ID)
  timespec time{};
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }
#endif
  return Clock::now().time_since_epoch();
}

// Runs the work on a team of threads and returns how much longer this took than all of it on this thread would have. If this
// thread had to wait for a CPU, a thread of the team may have had it, so this does not count as its own time.
Clock::duration run_on_team(const Work& work, ThreadRoom& room) {
  const auto start = Clock::now();
  Clock::duration own{};  // of this thread's share
  int members = 1;
#pragma omp parallel num_threads(room.team())
  {
    if (omp_get_thread_num() == 0) room.release();
    const DefaultFloatEnv float_env;
    // Equal shares of whole cache lines, so that no two threads write to the same line.
    constexpr int64_t line = 16;  // elements in a cache line, or in two
    const int64_t count = omp_get_num_threads(), member = omp_get_thread_num();
    const int64_t lines = (work.size() + line - 1) / line;
    const int64_t share = lines / count, extra = lines % count;
    const int64_t begin = (share * member + std::min(member, extra)) * line;
    const int64_t end = begin + (share + (member < extra ? 1 : 0)) * line;
    const Clock::duration from = member == 0 ? cpu_time() : Clock::duration{};
    work.run(begin, std::min(end, work.size()));
    if (member == 0) {
      own = cpu_time() - from;
      members = static_cast<int>(count);
    }
  }
  return Clock::now() - start - members * own;
}

#endif

}  // namespace

void Work::add(int64_t size) {
  starts_.push_back(size_);
  size_ += size;
}

void Work::run(int64_t begin, int64_t end) const {
  auto i = static_cast<size_t>(std::upper_bound(starts_.begin(), starts_.end(), begin) - starts_.begin()) - 1;
  for (; begin < end; ++i) {
    const int64_t item_end = i + 1 < starts_.size() ? starts_[i + 1] : size_;
    const int64_t stop = std::min(end, item_end);
    if (begin < stop) run_item(i, begin - starts_[i], stop - starts_[i]);
    begin = stop;
  }
}

void run_on_threads(const Work& work, int threads) {
  if (work.size() == 0) return;
#if defined(_OPENMP)
  const int64_t worth = work.size() / std::max<int64_t>(grain(), 1);
  const int team = static_cast<int>(std::min<int64_t>(effective_threads(threads), worth));
  Backoff& backoff = backoffs[std::bit_width(static_cast<uint64_t>(work.size()))];
  if (team > 1 && !(backs_off() && backoff.resting(Backoff::Clock::now()))) {
    ThreadRoom room(team);
    if (room.team() > 1) {
      const auto lost = run_on_team(work, room);
      return backoff.record(Backoff::Clock::now(), lost);
    }
  }
#endif
  (void)threads;
  work.run(0, work.size());
}

}  // namespace fastadam
