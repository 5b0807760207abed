// A kernel that measures the machine: the loads and stores of a rule with `count` states, and next to no arithmetic. It is
// written as an update rule, so that it runs through the same kernels, threads and calls.
#pragma once

#include "description.hpp"
#include "real.hpp"

namespace fastadam {
namespace {

#if defined(FASTADAM_FLOAT64)
using Bits = long long;
#else
using Bits = int;
#endif

template <int count>
struct MemoryWall {
  enum Option { unused, with_division, option_count };
  enum Flag : unsigned { divide = 1, variant_count = 2 };
  static constexpr OptionInfo options[] = {{"unused", Range::non_negative}, {"divide", Range::flag}};
  static constexpr unsigned never = 1U << 31;  // a flag that no rule has
  static constexpr StateInfo states[] = {
      {"state0", count > 0 ? 0 : never}, {"state1", count > 1 ? 0 : never}, {"state2", count > 2 ? 0 : never}};

  static constexpr unsigned flags_of(const double* option) { return when(option[with_division] != 0, divide); }

  static MemoryWall at_step(const double*, unsigned, long long) { return {}; }

  // There is no arithmetic; the bitwise or is there so that every load is used. With `divide` there is also one square root and
  // one division: the limit that the processor's divider sets while the data is in cache.
  template <unsigned flags>
  FASTADAM_INLINE void update(Real& p, Real g, Real* state) const {
    const Bits bits = __builtin_bit_cast(Bits, count > 0 ? state[0] : g) | __builtin_bit_cast(Bits, p);
    const Real mixed = __builtin_bit_cast(Real, bits);
    if constexpr (count == 0) {
      p = mixed;
    } else {
      p = flags & divide ? g / square_root(state[count - 1]) : g;
      if constexpr (count > 1) state[0] = state[1];
      if constexpr (count > 2) state[1] = state[2];
      state[count - 1] = mixed;
    }
  }
};

}  // namespace
}  // namespace fastadam
