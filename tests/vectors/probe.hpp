// A rule as large as a rule may be, and that begins in every way in which a rule may: four states, one of each start. No build
// of the package has it; tests/test_probe.py has its arithmetic in NumPy.
#pragma once

#include "../../csrc/rules/description.hpp"
#include "../../csrc/rules/real.hpp"

#define FASTADAM_MORE_RULES(RULE) RULE(probe, Probe)

namespace fastadam {
namespace {

struct Probe {
  enum Option { lr, begin, option_count };
  static constexpr unsigned variant_count = 1;
  static constexpr OptionInfo options[] = {{"lr", Range::finite}, {"begin", Range::non_negative, true}};
  static constexpr StateInfo states[] = {{"sum"},
                                         {"value", 0, StateInfo::any_sign, StateInfo::option, begin},
                                         {"origin", 0, StateInfo::any_sign, StateInfo::param},
                                         {"last"}};

  static constexpr unsigned flags_of(const double*) { return 0; }

  Real a;

  static FASTADAM_INLINE Probe at_step(const Real64* option, unsigned, long long) { return {Real(option[lr])}; }

  template <unsigned>
  FASTADAM_INLINE void update(Real& p, Real g, Real* state) const {
    state[0] = state[0] + g;
    state[1] = state[1] * g;
    state[3] = p - state[2];
    p = p - a * (state[0] + state[1]);
  }
};

}  // namespace
}  // namespace fastadam
