// When to leave threads alone. A thread that finds no CPU holds the whole team up for milliseconds, and a BLAS library's
// threads, which spin for a while after each call, leave none. Results do not depend on threads, so steps are serial for a
// while after two parallel ones in a row took longer than serial ones would have (after one they go on, for it may only have
// woken the threads): at first for as long as was lost, after more failures in a row for up to 64 times as long. So trying
// costs little, however bad it is.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>

namespace fastadam {

class Backoff {
 public:
  using Clock = std::chrono::steady_clock;

  // Whether a step that begins now should be serial.
  bool resting(Clock::time_point now) const { return now < until_.load(); }

  // What a parallel step that ends now lost, compared with a serial one; not positive if it paid.
  void record(Clock::time_point now, Clock::duration lost) {
    const int failures = failures_ = lost > Clock::duration::zero() ? failures_ + 1 : 0;
    if (failures > 0 && failures % 2 == 0) until_ = now + lost * (1 << std::min(failures - 2, 6));
  }

 private:
  // Threads that race here at worst misjudge a rest, which changes no result.
  std::atomic<Clock::time_point> until_{};
  std::atomic<int> failures_{0};  // in a row
};

}  // namespace fastadam
