// NAdam (Dozat, 2016), with PyTorch's momentum schedule and decoupled weight decay.
#pragma once

#include "description.hpp"
#include "power.hpp"
#include "real.hpp"

namespace fastadam {
namespace {

struct NAdam {
  enum Option {
    lr,
    beta1,
    beta2,
    eps,
    weight_decay,
    momentum_decay,
    decoupled_weight_decay,
    cautious_weight_decay,
    option_count
  };
  enum Flag : unsigned { coupled = 1, decays_cautiously = 2, variant_count = 3 };  // at most one
  static constexpr OptionInfo options[] = {{"lr", Range::non_negative},
                                           {"beta1", Range::decay_rate},
                                           {"beta2", Range::decay_rate},
                                           {"eps", Range::non_negative},
                                           {"weight_decay", Range::non_negative},
                                           {"momentum_decay", Range::non_negative},
                                           {"decoupled_weight_decay", Range::flag},
                                           {"cautious_weight_decay", Range::flag}};
  static constexpr StateInfo states[] = {{"exp_avg"}, {"exp_avg_sq", 0, StateInfo::squares}};

  // How many factors of the product are multiplied one by one. With beta1 up to 0.99995, it ends before.
  static constexpr long long most_factors = 1 << 20;

  static constexpr unsigned flags_of(const double* option) {
    return when(option[weight_decay] != 0 && option[decoupled_weight_decay] == 0, coupled) |
           when(option[weight_decay] != 0 && option[cautious_weight_decay] != 0, decays_cautiously);
  }

  static constexpr const char* conflict(const double* option) {
    return caution_conflict(option[decoupled_weight_decay], option[cautious_weight_decay]);
  }

  Real b1, b2, c1, c2;  // decay of the two moments, and one minus it
  Real ag, am;          // step sizes of the gradient and of the first moment, bias corrections included
  Real e;               // epsilon, scaled as in Adam
  Real d;               // factor of decoupled weight decay
  Real wd;              // coupled weight decay

  static FASTADAM_INLINE NAdam at_step(const Real64* option, unsigned flags, long long t) {
    NAdam rule;
    rule.b1 = Real(option[beta1]);
    rule.b2 = Real(option[beta2]);
    rule.c1 = Real(1) - rule.b1;
    rule.c2 = Real(1) - rule.b2;
    // The momentum of step i is mu(i) = beta1 (1 - 0.96^(i momentum_decay) / 2).
    const Scalar log_of_096 = constant(-0.040821994520255166, -8.893492737632459e-19);
    const Scalar q = exponential_of_negative(option[momentum_decay] * log_of_096);
    const Scalar mu = momentum(rule.b1, power(q, t)), next = momentum(rule.b1, power(q, t + 1ULL));
    // The product of the momenta so far. Once it is below half an ulp of 1, neither it nor further factors matter.
    Scalar product = Real64(1), decay = Real64(1);
    long long i = 0;
    for (; i < t && i < most_factors && Real64(5e-20) < product; ++i) {
      decay = decay * q;
      if (decay < Real64(1e-30)) decay = Real64(0);  // as the factor has it; subnormal numbers are slow
      product = product * momentum(rule.b1, decay);
    }
    // The rest of the factors are beta1: a decay that still counts would have ended the product by now.
    if (i == most_factors) product = product * power(Real64(rule.b1), t - i);
    const Scalar root = square_root(Real64(1) - power(Real64(rule.b2), t));
    rule.ag = Real(option[lr] * (Real64(1) - mu) / (Real64(1) - product) * root);
    rule.am = Real(option[lr] * next / (Real64(1) - product * next) * root);
    rule.e = Real(option[eps] * root);
    rule.d = flags & coupled ? Real(1) : Real(Real64(1) - Scalar(option[lr]) * option[weight_decay]);
    rule.wd = Real(option[weight_decay]);
    return rule;
  }

  static FASTADAM_INLINE Scalar momentum(Real b1, Scalar decay) { return Real64(b1) * (Real64(1) - Real64(0.5) * decay); }

  template <unsigned flags>
  FASTADAM_INLINE void update(Real& p, Real g, Real* state) const {
    Real& m = state[0];
    Real& v = state[1];
    if constexpr ((flags & coupled) != 0) g = g + wd * p;
    m = flush_subnormal(b1 * m + c1 * g);
    v = flush_subnormal(b2 * v + (c2 * g) * g);
    const Real direction = ag * g + am * m;
    const Real kept = flags & decays_cautiously ? cautious(d, p, direction) : d;
    p = kept * p - direction / (square_root(v) + e);
  }
};

}  // namespace
}  // namespace fastadam
