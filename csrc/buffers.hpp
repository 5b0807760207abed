// The arrays of one tensor. Plain data that every backend shares: both C++ compilers and NVRTC compile it.
#pragma once

namespace fastadam {

constexpr int max_states = 4;  // the most that a rule has

// All arrays have the same length. Unused states are null.
struct Buffers {
  float* param;
  const float* grad;
  float* state[max_states];
};

}  // namespace fastadam
