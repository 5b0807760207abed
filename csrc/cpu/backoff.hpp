// Decides when steps do not use threads. A thread that gets no CPU delays the whole team by milliseconds, and the threads of a
// BLAS library, which spin for a while after each call, leave none free. Results do not depend on threads, so steps are serial
// for a while once two parallel steps in a row have taken longer than serial ones would have. (A single slow step may only have
// woken the threads.) The pause is at first as long as the time lost, and after more failures in a row up to 64 times as long,
// so that trying again always costs little.
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

  // Records how much time a parallel step that ends now lost against a serial one; not positive if threads paid off.
  void record(Clock::time_point now, Clock::duration lost) {
    const int failures = failures_ = lost > Clock::duration::zero() ? failures_ + 1 : 0;
    if (failures > 0 && failures % 2 == 0) until_ = now + lost * (1 << std::min(failures - 2, 6));
  }

 private:
  // A race between threads can at worst misjudge a pause, which changes no result.
  std::atomic<Clock::time_point> until_{};
  std::atomic<int> failures_{0};  // in a row
};

}  // namespace fastadam
