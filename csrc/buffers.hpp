// The arrays of one tensor on the CPU, and what every backend shares: both C++ compilers and NVRTC compile it.
#pragma once

namespace fastadam {

constexpr int max_states = 4;  // the most that a rule has

// All arrays have the same length and elements of the same type. Unused states are null.
struct Buffers {
  void* param;
  const void* grad;
  void* state[max_states];
};

}  // namespace fastadam
