// The arrays of one tensor. Plain data that every backend shares: C++ compilers and NVRTC read it.
#pragma once

namespace fastadam {

constexpr int max_states = 4;  // the most that a rule keeps

// All of the same length. A rule that keeps fewer states leaves the last ones null.
struct Buffers {
  float* param;
  const float* grad;
  float* state[max_states];
};

}  // namespace fastadam
