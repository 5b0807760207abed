#include "turn.hpp"

#include <stdexcept>

namespace fastadam {

bool Turns::take_turn() {
  const std::thread::id here = std::this_thread::get_id();
  std::thread::id holder{};
  if (holder_.compare_exchange_strong(holder, here, std::memory_order_acquire)) {
    if (!retired_) return false;
    give_back();
    throw std::runtime_error(
        "another thread has added a group to the optimizer meanwhile; let one thread at a time use it, for example with a "
        "threading.Lock");
  }
  if (holder != here) {
    throw std::runtime_error(
        "the optimizer is being stepped by another thread, or its groups changed; let one thread at a time use it, for example "
        "with a threading.Lock");
  }
  if (changing_) return true;
  throw std::runtime_error(
      "the optimizer is in the middle of a step, and what the step calls (an array's export, a gradient's __getitem__) uses "
      "the optimizer again; use it before or after the step");
}

void Turns::begin_change() {
  if (take_turn()) {
    throw std::runtime_error("the optimizer's groups are in the middle of a change; use it before or after that");
  }
  changing_ = true;
}

void Turns::end_change() {
  changing_ = false;
  give_back();
}

}  // namespace fastadam
