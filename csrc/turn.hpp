// Who may use something that two calls at once would tear apart, such as the tensors of a step.
#pragma once

#include <atomic>
#include <thread>

namespace fastadam {

class Turns {
 public:
  // Held by a call from its first look to its last write: two calls at once would tear the values apart, and lose counts.
  // Throws std::runtime_error if another call holds it, of this thread or of another one.
  class Turn {
   public:
    explicit Turn(Turns& turns);
    ~Turn() { turns_.holder_.store({}, std::memory_order_release); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Turns& turns_;
  };

 private:
  std::atomic<std::thread::id> holder_{};
};

}  // namespace fastadam
