// AdaMax (Kingma & Ba, 2015, Algorithm 2), with epsilon where PyTorch has it.
#pragma once

#include "description.hpp"
#include "power.hpp"
#include "real.hpp"

namespace fastadam {
namespace {

struct Adamax {
  enum Option { lr, beta1, beta2, eps, weight_decay, option_count };
  enum Flag : unsigned { coupled = 1, variant_count = 2 };
  static constexpr OptionInfo options[] = {{"lr", Range::non_negative},
                                           {"beta1", Range::decay_rate},
                                           {"beta2", Range::decay_rate},
                                           {"eps", Range::non_negative},
                                           {"weight_decay", Range::non_negative}};
  static constexpr StateInfo states[] = {{"exp_avg"}, {"exp_inf", 0, StateInfo::squares}};

  static constexpr unsigned flags_of(const double* option) { return when(option[weight_decay] != 0, coupled); }

  Real b1, c1;  // decay of the first moment, and one minus it
  Real b2;      // decay of the infinity norm
  Real a;       // step size, bias correction included
  Real e;
  Real wd;

  static FASTADAM_INLINE Adamax at_step(const Real64* option, unsigned, long long t) {
    Adamax rule;
    rule.b1 = Real(option[beta1]);
    rule.c1 = Real(1) - rule.b1;
    rule.b2 = Real(option[beta2]);
    rule.a = Real(option[lr] / (Real64(1) - power(Real64(rule.b1), t)));
    rule.e = Real(option[eps]);
    rule.wd = Real(option[weight_decay]);
    return rule;
  }

  template <unsigned flags>
  FASTADAM_INLINE void update(Real& p, Real g, Real* state) const {
    Real& m = state[0];
    Real& u = state[1];
    if constexpr ((flags & coupled) != 0) g = g + wd * p;
    m = flush_subnormal(b1 * m + c1 * g);
    u = flush_subnormal(maximum(b2 * u, absolute(g) + e));
    p = p - (a * m) / u;
  }
};

}  // namespace
}  // namespace fastadam
