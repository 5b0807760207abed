// AdaGrad (Duchi, Hazan & Singer, 2011), diagonal form, with the decay of the learning rate that PyTorch has.
#pragma once

#include "real.hpp"

namespace fastadam {
namespace {

struct Adagrad {
  enum Option { lr, lr_decay, eps, weight_decay, option_count };
  enum Flag : unsigned { maximize = 1, coupled = 2, variant_count = 4 };
  static constexpr const char* option_names[] = {"lr", "lr_decay", "eps", "weight_decay"};
  static constexpr const char* flag_names[] = {"maximize", "coupled"};

  // sum
  static constexpr int state_count(unsigned) { return 1; }

  Real a;  // step size
  Real e;
  Real wd;

  static FASTADAM_INLINE Adagrad at_step(const Real64* option, unsigned, long long t) {
    Adagrad rule;
    rule.a = Real(option[lr] / (Real64(1) + Real64(static_cast<double>(t - 1)) * option[lr_decay]));
    rule.e = Real(option[eps]);
    rule.wd = Real(option[weight_decay]);
    return rule;
  }

  template <unsigned flags>
  FASTADAM_INLINE void update(Real& p, Real g, Real* state) const {
    if constexpr ((flags & maximize) != 0) g = -g;
    if constexpr ((flags & coupled) != 0) g = g + wd * p;
    Real& sum = state[0];
    sum = flush_subnormal(sum + g * g);
    p = p - (a * g) / (square_root(sum) + e);
  }
};

}  // namespace
}  // namespace fastadam
