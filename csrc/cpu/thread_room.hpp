// Whether threads can be created, asked before OpenMP creates them: its libraries end the process if they cannot, be it for a
// limit on threads, a container's on processes, the address space or a huge OMP_STACKSIZE.
#pragma once

#include <mutex>

namespace fastadam {

// Room for the threads of a team that this thread is about to start. It is the result of a trial: as many threads as OpenMP
// will create, and one to spare, exist at once and are ended again. OpenMP keeps the threads of a team for the next one, so
// this is done only when a team is larger than the last one of this thread, and at most about once a second.
class ThreadRoom {
 public:
  // Waits while another thread has room and no team yet, since both may not fit.
  explicit ThreadRoom(int team);

  // How many threads the team can have: at most those asked for, and one if none can be created.
  int team() const { return team_; }

  // Call this once the team exists.
  void release();

 private:
  std::unique_lock<std::mutex> lock_;
  int team_;
};

}  // namespace fastadam
