// RAdam (Liu et al., 2020, Algorithm 2), with PyTorch's threshold and decoupled weight decay.
#pragma once

#include "description.hpp"
#include "power.hpp"
#include "real.hpp"

namespace fastadam {
namespace {

struct RAdam {
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
  Real a;               // step size; bias corrections and rectification included
  Real e;
  Real adaptive;  // 1 if the variance of the adaptive step is tractable, else 0: then the step is that of momentum
  Real d;         // factor of decoupled weight decay
  Real wd;        // coupled weight decay

  static FASTADAM_INLINE RAdam at_step(const Real64* option, unsigned flags, long long t) {
    RAdam rule;
    rule.b1 = Real(option[beta1]);
    rule.b2 = Real(option[beta2]);
    rule.c1 = Real(1) - rule.b1;
    rule.c2 = Real(1) - rule.b2;
    const Scalar one = Real64(1), two = Real64(2), four = Real64(4), b2 = Real64(rule.b2), b2_t = power(b2, t);
    const Scalar k1 = one - power(Real64(rule.b1), t), k2 = one - b2_t;
    const Scalar longest = two / (one - b2) - one;  // length of the approximated simple moving average; rho in the paper
    const Scalar length = longest - two * whole(t) * b2_t / k2;
    const bool tractable = Real64(5) < length;
    const Scalar rectification =
        tractable ? square_root((length - four) * (length - two) * longest / ((longest - four) * (longest - two) * length))
                  : one;
    rule.a = Real(tractable ? option[lr] * rectification * square_root(k2) / k1 : option[lr] / k1);
    rule.e = Real(option[eps]);
    rule.adaptive = Real(tractable ? Real64(1) : Real64(0));
    rule.d = flags & coupled ? Real(1) : Real(one - Scalar(option[lr]) * option[weight_decay]);
    rule.wd = Real(option[weight_decay]);
    return rule;
  }

  template <unsigned flags>
  FASTADAM_INLINE void update(Real& p, Real g, Real* state) const {
    Real& m = state[0];
    Real& v = state[1];
    if constexpr ((flags & coupled) != 0) g = g + wd * p;
    m = flush_subnormal(b1 * m + c1 * g);
    v = flush_subnormal(b2 * v + (c2 * g) * g);
    const Real denominator = adaptive != Real(0) ? square_root(v) + e : Real(1);
    const Real kept = flags & decays_cautiously ? cautious(d, p, m) : d;
    p = kept * p - (a * m) / denominator;
  }
};

}  // namespace
}  // namespace fastadam
