// The arrays of one tensor. Plain data that every backend shares: C++ compilers and NVRTC read it.
#pragma once

namespace fastadam {

constexpr int max_states = 3;

// All of the same length.
struct Buffers {
  float* param;
  const float* grad;
  float* state[max_states];
};

}  // namespace fastadam
