// ADOPT (Taniguchi et al., 2024, Algorithm 2), with optax's clip of the normalized gradient.
#pragma once

#include "description.hpp"
#include "real.hpp"
#include "scalar.hpp"

namespace fastadam {
namespace {

struct ADOPT {
  enum Option { lr, beta1, beta2, eps, weight_decay, decoupled_weight_decay, cautious_weight_decay, option_count };
  enum Flag : unsigned { coupled = 1, decays_cautiously = 2, variant_count = 3 };  // at most one
  static constexpr OptionInfo options[] = {{"lr", Range::non_negative},           {"beta1", Range::decay_rate},
                                           {"beta2", Range::decay_rate},          {"eps", Range::non_negative},
                                           {"weight_decay", Range::non_negative}, {"decoupled_weight_decay", Range::flag},
                                           {"cautious_weight_decay", Range::flag}};
  static constexpr StateInfo states[] = {{"exp_avg"}, {"exp_avg_sq", 0, StateInfo::squares}};

  static constexpr unsigned flags_of(const double* option) {
    return when(option[weight_decay] != 0 && option[decoupled_weight_decay] == 0, coupled) |
           when(option[weight_decay] != 0 && option[cautious_weight_decay] != 0, decays_cautiously);
  }

  static constexpr const char* conflict(const double* option) {
    return caution_conflict(option[decoupled_weight_decay], option[cautious_weight_decay]);
  }

  Real b1, b2, c1, c2;  // decay of the two moments, and one minus it
  Real a;               // step size
  Real e;               // the least denominator
  Real limit;           // of the normalized gradient
  Real d;               // factor of decoupled weight decay
  Real wd;              // coupled weight decay

  // The first step only fills the second moment. Its denominator is at least 1, so that a gradient of zero is not divided by
  // zero.
  static FASTADAM_INLINE ADOPT at_step(const Real64* option, unsigned flags, long long t) {
    ADOPT rule;
    const bool first = t == 1;
    rule.b1 = first ? Real(1) : Real(option[beta1]);
    rule.b2 = first ? Real(0) : Real(option[beta2]);
    rule.c1 = Real(1) - rule.b1;
    rule.c2 = Real(1) - rule.b2;
    rule.a = first ? Real(0) : Real(option[lr]);
    rule.e = first ? Real(1) : Real(option[eps]);
    rule.limit = Real(square_root(square_root(whole(t - 1))));
    rule.d = first || flags & coupled ? Real(1) : Real(Real64(1) - Scalar(option[lr]) * option[weight_decay]);
    rule.wd = Real(option[weight_decay]);
    return rule;
  }

  template <unsigned flags>
  FASTADAM_INLINE void update(Real& p, Real g, Real* state) const {
    Real& m = state[0];
    Real& v = state[1];
    if constexpr ((flags & coupled) != 0) g = g + wd * p;
    const Real normalized = g / maximum(square_root(v), e);  // by the second moment of the steps before
    const Real below = limit < normalized ? limit : normalized;
    const Real clipped = below < -limit ? -limit : below;
    m = flush_subnormal(b1 * m + c1 * clipped);
    v = flush_subnormal(b2 * v + (c2 * g) * g);
    const Real kept = flags & decays_cautiously ? cautious(d, p, m) : d;
    p = kept * p - a * m;
  }
};

}  // namespace
}  // namespace fastadam
