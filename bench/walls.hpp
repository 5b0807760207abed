// Kernels that measure the machine, for bench/ only. They are written as update rules, so that they run with the very loop,
// threads and call of the real ones. Each is the twin of the rules with as many states: the same loads and stores.
#pragma once

#include "../csrc/rules/real.hpp"

#define FASTADAM_WALLS(RULE) RULE(wall0, MemoryWall<0>) RULE(wall1, MemoryWall<1>) RULE(wall2, Wall) RULE(wall3, MemoryWall<3>)

namespace fastadam {
namespace {

template <int states>
struct MemoryWall {
  enum Option { unused, option_count };
  enum Flag : unsigned { divide = 1, variant_count = 2 };
  static constexpr OptionInfo options[] = {{"unused", Range::non_negative}};

  static MemoryWall at_step(const double*, unsigned, long long) { return {}; }

  // There is no arithmetic; the bitwise or is there so that every load is used. With `divide` it does one square root and one
  // division besides, the wall that the processor's divider sets while the data is in cache.
  template <unsigned flags>
  FASTADAM_INLINE void update(Real& p, Real g, Real* state) const {
    const int bits = __builtin_bit_cast(int, states > 0 ? state[0] : g) | __builtin_bit_cast(int, p);
    const Real mixed = __builtin_bit_cast(float, bits);
    if constexpr (states == 0) {
      p = mixed;
    } else {
      p = flags & divide ? g / square_root(state[states - 1]) : g;
      if constexpr (states > 1) state[0] = state[1];
      if constexpr (states > 2) state[1] = state[2];
      state[states - 1] = mixed;
    }
  }
};

using Wall = MemoryWall<2>;  // Adam's

}  // namespace
}  // namespace fastadam
