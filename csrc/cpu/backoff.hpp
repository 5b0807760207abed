// When to leave threads alone. A thread that finds no CPU holds the whole team up for milliseconds, and a BLAS library's
// threads, which spin for a while after each call, leave none. Results do not depend on threads, so steps are serial for a
// while after a parallel one that took longer than a serial one would have: at first for as long as was lost, after more
// failures in a row for up to 64 times as long. So trying costs little, however bad it is.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>

namespace fastadam {

class Backoff {
 public:
  using Clock = std::chrono::steady_clock;

  // Whether a step that begins now should be serial.
  bool resting() const { return Clock::now() < until_.load(); }

  // What a parallel step lost, compared with a serial one; not positive if it paid.
  void record(Clock::duration lost) {
    const bool failed = lost > Clock::duration::zero();
    if (failed) until_ = Clock::now() + lost * factor_.load();
    factor_ = failed ? std::min(4 * factor_.load(), 64) : 1;
  }

 private:
  // Threads that race here at worst misjudge a rest, which changes no result.
  std::atomic<Clock::time_point> until_{};
  std::atomic<int> factor_{1};
};

}  // namespace fastadam
