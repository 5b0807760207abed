#include "turn.hpp"

#include <stdexcept>

namespace fastadam {

Turns::Turn::Turn(Turns& turns) : turns_(turns) {
  const std::thread::id here = std::this_thread::get_id();
  std::thread::id holder{};
  if (turns.holder_.compare_exchange_strong(holder, here, std::memory_order_acquire)) return;
  if (holder == here) {
    throw std::runtime_error(
        "the optimizer is in the middle of a step, and what the step calls (an array's export, a gradient's __getitem__) uses "
        "the "
        "optimizer again; use it before or after the step");
  }
  throw std::runtime_error(
      "the optimizer is being stepped by another thread; let one thread at a time use it, for example with a threading.Lock");
}

}  // namespace fastadam
