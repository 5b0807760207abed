// Adam (Kingma & Ba, 2015, Algorithm 1), AdamW (Loshchilov & Hutter, 2019, Algorithm 2) and AMSGrad (Reddi et al., 2018).
#pragma once

#include "description.hpp"
#include "power.hpp"
#include "real.hpp"

namespace fastadam {
namespace {

struct Adam {
  enum Option {
    lr,
    beta1,
    beta2,
    eps,
    weight_decay,
    with_amsgrad,
    decoupled_weight_decay,
    bias_correction,
    cautious_weight_decay,
    option_count
  };
  enum Flag : unsigned { amsgrad = 1, coupled = 2, decays_cautiously = 4, variant_count = 6 };  // of the last two at most one
  static constexpr OptionInfo options[] = {{"lr", Range::non_negative},
                                           {"beta1", Range::decay_rate},
                                           {"beta2", Range::decay_rate},
                                           {"eps", Range::non_negative},
                                           {"weight_decay", Range::non_negative},
                                           {"amsgrad", Range::flag},
                                           {"decoupled_weight_decay", Range::flag},
                                           {"bias_correction", Range::flag, true, 1},
                                           {"cautious_weight_decay", Range::flag}};
  static constexpr StateInfo states[] = {{"exp_avg"},
                                         {"exp_avg_sq", 0, StateInfo::squares},
                                         {"max_exp_avg_sq", amsgrad, StateInfo::squares, StateInfo::zero, 0, true}};

  static constexpr unsigned flags_of(const double* option) {
    return when(option[with_amsgrad] != 0, amsgrad) |
           when(option[weight_decay] != 0 && option[decoupled_weight_decay] == 0, coupled) |
           when(option[weight_decay] != 0 && option[cautious_weight_decay] != 0, decays_cautiously);
  }

  static constexpr const char* conflict(const double* option) {
    return caution_conflict(option[decoupled_weight_decay], option[cautious_weight_decay]);
  }

  Real b1, b2, c1, c2;  // decay of the two moments, and one minus it
  Real a;               // step size, bias corrections included if there are any
  Real e;               // epsilon, scaled so that the step is lr * m^ / (sqrt(v^) + eps)
  Real d;               // factor of decoupled weight decay
  Real wd;              // coupled weight decay

  // The coefficients of step t >= 1, each rounded once.
  static FASTADAM_INLINE Adam at_step(const Real64* option, unsigned flags, long long t) {
    Adam rule;
    rule.b1 = Real(option[beta1]);
    rule.b2 = Real(option[beta2]);
    rule.c1 = Real(1) - rule.b1;
    rule.c2 = Real(1) - rule.b2;
    Scalar k1 = Real64(1), k2 = Real64(1);
    if (Real64(0) < option[bias_correction]) {
      k1 = k1 - power(Real64(rule.b1), t);
      k2 = k2 - power(Real64(rule.b2), t);
    }
    rule.a = Real(option[lr] * square_root(k2) / k1);
    rule.e = Real(option[eps] * square_root(k2));
    rule.d = flags & coupled ? Real(1) : Real(Real64(1) - Scalar(option[lr]) * option[weight_decay]);
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
    if constexpr ((flags & amsgrad) != 0) state[2] = maximum(state[2], v);
    const Real second_moment = state[flags & amsgrad ? 2 : 1];
    const Real kept = flags & decays_cautiously ? cautious(d, p, m) : d;
    p = kept * p - (a * m) / (square_root(second_moment) + e);
  }
};

}  // namespace
}  // namespace fastadam
