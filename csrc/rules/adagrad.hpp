// AdaGrad (Duchi, Hazan & Singer, 2011), diagonal form, with PyTorch's learning rate decay.
#pragma once

#include "description.hpp"
#include "real.hpp"
#include "scalar.hpp"

namespace fastadam {
namespace {

struct Adagrad {
  enum Option { lr, lr_decay, eps, weight_decay, initial_accumulator_value, option_count };
  enum Flag : unsigned { coupled = 1, variant_count = 2 };
  static constexpr OptionInfo options[] = {{"lr", Range::non_negative},
                                           {"lr_decay", Range::non_negative},
                                           {"eps", Range::non_negative},
                                           {"weight_decay", Range::non_negative},
                                           {"initial_accumulator_value", Range::non_negative, true}};
  static constexpr StateInfo states[] = {{"sum", 0, StateInfo::squares, StateInfo::option, initial_accumulator_value}};

  static constexpr unsigned flags_of(const double* option) { return when(option[weight_decay] != 0, coupled); }

  Real a;  // step size
  Real e;
  Real wd;

  static FASTADAM_INLINE Adagrad at_step(const Real64* option, unsigned, long long t) {
    Adagrad rule;
    rule.a = Real(option[lr] / (Real64(1) + whole(t - 1) * option[lr_decay]));
    rule.e = Real(option[eps]);
    rule.wd = Real(option[weight_decay]);
    return rule;
  }

  template <unsigned flags>
  FASTADAM_INLINE void update(Real& p, Real g, Real* state) const {
    if constexpr ((flags & coupled) != 0) g = g + wd * p;
    Real& sum = state[0];
    sum = flush_subnormal(sum + g * g);
    p = p - (a * g) / (square_root(sum) + e);
  }
};

}  // namespace
}  // namespace fastadam
