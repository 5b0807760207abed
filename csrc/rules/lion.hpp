// Lion (Chen et al., 2023, Algorithm 2).
#pragma once

#include "real.hpp"

namespace fastadam {
namespace {

struct Lion {
  enum Option { lr, beta1, beta2, weight_decay, option_count };
  enum Flag : unsigned { maximize = 1, variant_count = 2 };
  static constexpr const char* option_names[] = {"lr", "beta1", "beta2", "weight_decay"};
  static constexpr const char* flag_names[] = {"maximize"};

  // exp_avg
  static constexpr int state_count(unsigned) { return 1; }

  Real b1, c1;  // the moment's and the gradient's share in the direction
  Real b2, c2;  // decay of the moment, and one minus it
  Real a;       // step size
  Real d;       // factor of weight decay

  static FASTADAM_INLINE Lion at_step(const Real64* option, unsigned, long long) {
    Lion rule;
    rule.b1 = Real(option[beta1]);
    rule.b2 = Real(option[beta2]);
    rule.c1 = Real(1) - rule.b1;
    rule.c2 = Real(1) - rule.b2;
    rule.a = Real(option[lr]);
    rule.d = Real(Real64(1) - option[lr] * option[weight_decay]);
    return rule;
  }

  template <unsigned flags>
  FASTADAM_INLINE void update(Real& p, Real g, Real* state) const {
    Real& m = state[0];
    if constexpr ((flags & maximize) != 0) g = -g;
    const Real direction = b1 * m + c1 * g;
    m = flush_subnormal(b2 * m + c2 * g);
    p = d * p - a * sign(direction);
  }
};

}  // namespace
}  // namespace fastadam
