// Lion (Chen et al., 2023, Algorithm 2).
#pragma once

#include "description.hpp"
#include "real.hpp"
#include "scalar.hpp"

namespace fastadam {
namespace {

struct Lion {
  enum Option { lr, beta1, beta2, weight_decay, cautious_weight_decay, option_count };
  enum Flag : unsigned { decays_cautiously = 1, variant_count = 2 };
  static constexpr OptionInfo options[] = {{"lr", Range::non_negative},
                                           {"beta1", Range::decay_rate},
                                           {"beta2", Range::decay_rate},
                                           {"weight_decay", Range::non_negative},
                                           {"cautious_weight_decay", Range::flag}};
  static constexpr StateInfo states[] = {{"exp_avg"}};

  static constexpr unsigned flags_of(const double* option) {
    return when(option[weight_decay] != 0 && option[cautious_weight_decay] != 0, decays_cautiously);
  }

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
    rule.d = Real(Real64(1) - Scalar(option[lr]) * option[weight_decay]);
    return rule;
  }

  template <unsigned flags>
  FASTADAM_INLINE void update(Real& p, Real g, Real* state) const {
    Real& m = state[0];
    const Real direction = b1 * m + c1 * g;
    m = flush_subnormal(b2 * m + c2 * g);
    const Real kept = flags & decays_cautiously ? cautious(d, p, direction) : d;
    p = kept * p - a * sign(direction);
  }
};

}  // namespace
}  // namespace fastadam
