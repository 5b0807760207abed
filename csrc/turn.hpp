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
    explicit Turn(Turns& turns) : turns_(turns), within_change_(turns.take_turn()) {}
    ~Turn() {
      if (!within_change_) turns_.give_back();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Turns& turns_;
    const bool within_change_;
  };

  // A change takes the turn too, until it ends; within it the thread that makes it has turns of its own. Throws as a turn does.
  class Change {
   public:
    explicit Change(Turns& turns) : turns_(turns) { turns_.begin_change(); }
    ~Change() { turns_.end_change(); }
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

   private:
    Turns& turns_;
  };

  // Something else is in its place: no call gets a turn any more. Within a change.
  void retire() { retired_ = true; }

 private:
  void begin_change();
  void end_change();
  // Returns whether this thread has the turn because it makes a change.
  bool take_turn();
  void give_back() { holder_.store({}, std::memory_order_release); }

  std::atomic<std::thread::id> holder_{};
  bool changing_ = false;  // whether the holder makes a change; written and read by it alone
  std::atomic<bool> retired_{false};
};

}  // namespace fastadam
