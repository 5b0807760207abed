// A kernel that measures the machine, for bench/ only. It is written as an update rule, so that it runs with the very loop,
// threads and call of the real ones, and like Adam it reads four floats an element and writes three.
#pragma once

#include "../csrc/rules/real.hpp"

#define FASTADAM_WALLS(RULE) RULE(wall, Wall)

namespace fastadam {
namespace {

struct Wall {
  enum Option { unused, option_count };
  enum Flag : unsigned { divide = 1, variant_count = 2 };
  static constexpr const char* option_names[] = {"unused"};
  static constexpr const char* flag_names[] = {"divide"};

  static constexpr int state_count(unsigned) { return 2; }

  static Wall at_step(const double*, unsigned, long long) { return {}; }

  // Without arithmetic it is the memory wall; the bitwise or is there so that every load is used. With `divide` it does one
  // square root and one division besides, the wall that the processor's divider sets while the data is in cache.
  template <unsigned flags>
  FASTADAM_INLINE void update(Real& p, Real g, Real* state) const {
    const int bits = __builtin_bit_cast(int, state[0]) | __builtin_bit_cast(int, p);
    p = flags & divide ? g / square_root(state[1]) : g;
    state[0] = state[1];
    state[1] = __builtin_bit_cast(float, bits);
  }
};

}  // namespace
}  // namespace fastadam
