// RMSProp (Tieleman & Hinton, 2012, lecture 6.5), centered as in Graves (2013, equations 38 to 45), with PyTorch's momentum.
#pragma once

#include "description.hpp"
#include "real.hpp"

namespace fastadam {
namespace {

struct RMSprop {
  enum Option { lr, alpha, eps, weight_decay, momentum, with_centering, option_count };
  enum Flag : unsigned { centered = 1, with_momentum = 2, coupled = 4, variant_count = 8 };
  static constexpr OptionInfo options[] = {{"lr", Range::non_negative},       {"alpha", Range::decay_rate},
                                           {"eps", Range::non_negative},      {"weight_decay", Range::non_negative},
                                           {"momentum", Range::non_negative}, {"centered", Range::flag}};
  static constexpr StateInfo states[] = {{"square_avg", 0, StateInfo::squares},
                                         {"grad_avg", centered, StateInfo::any_sign, StateInfo::zero, 0, true},
                                         {"momentum_buffer", with_momentum}};

  static constexpr unsigned flags_of(const double* option) {
    return when(option[with_centering] != 0, centered) | when(option[momentum] != 0, with_momentum) |
           when(option[weight_decay] != 0, coupled);
  }

  Real a;     // step size
  Real b, c;  // decay of the averages, and one minus it
  Real e;
  Real wd;
  Real mu;  // momentum

  static FASTADAM_INLINE RMSprop at_step(const Real64* option, unsigned, long long) {
    RMSprop rule;
    rule.a = Real(option[lr]);
    rule.b = Real(option[alpha]);
    rule.c = Real(1) - rule.b;
    rule.e = Real(option[eps]);
    rule.wd = Real(option[weight_decay]);
    rule.mu = Real(option[momentum]);
    return rule;
  }

  template <unsigned flags>
  FASTADAM_INLINE void update(Real& p, Real g, Real* state) const {
    if constexpr ((flags & coupled) != 0) g = g + wd * p;
    Real& square_avg = state[0];
    square_avg = flush_subnormal(b * square_avg + (c * g) * g);
    Real variance = square_avg;
    if constexpr ((flags & centered) != 0) {
      Real& grad_avg = state[1];
      grad_avg = flush_subnormal(b * grad_avg + c * g);
      variance = maximum(square_avg - grad_avg * grad_avg, Real(0));  // rounding may make it negative
    }
    const Real denominator = square_root(variance) + e;
    if constexpr ((flags & with_momentum) != 0) {
      Real& buffer = state[flags & centered ? 2 : 1];
      buffer = flush_subnormal(mu * buffer + g / denominator);
      p = p - a * buffer;
    } else {
      p = p - (a * g) / denominator;
    }
  }
};

}  // namespace
}  // namespace fastadam
