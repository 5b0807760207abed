// Stochastic gradient descent, with momentum (Polyak, 1964) and Nesterov's variant, as in Sutskever et al. (2013).
#pragma once

#include "real.hpp"

namespace fastadam {
namespace {

struct SGD {
  enum Option { lr, momentum, dampening, weight_decay, option_count };
  enum Flag : unsigned { with_momentum = 1, nesterov = 2, maximize = 4, coupled = 8, variant_count = 16 };
  static constexpr const char* option_names[] = {"lr", "momentum", "dampening", "weight_decay"};
  static constexpr const char* flag_names[] = {"with_momentum", "nesterov", "maximize", "coupled"};

  // momentum_buffer
  static constexpr int state_count(unsigned flags) { return flags & with_momentum ? 1 : 0; }

  Real a;     // step size
  Real b, c;  // decay of the buffer, and the gradient's share in it: 0 and 1 in the first step, which has no buffer yet
  Real nesterov_share;
  Real wd;

  static FASTADAM_INLINE SGD at_step(const Real64* option, unsigned, long long t) {
    SGD rule;
    rule.a = Real(option[lr]);
    rule.b = t == 1 ? Real(0) : Real(option[momentum]);
    rule.c = t == 1 ? Real(1) : Real(1) - Real(option[dampening]);
    rule.nesterov_share = Real(option[momentum]);
    rule.wd = Real(option[weight_decay]);
    return rule;
  }

  template <unsigned flags>
  FASTADAM_INLINE void update(Real& p, Real g, Real* state) const {
    if constexpr ((flags & maximize) != 0) g = -g;
    if constexpr ((flags & coupled) != 0) g = g + wd * p;
    if constexpr ((flags & with_momentum) != 0) {
      Real& buffer = state[0];
      buffer = flush_subnormal(b * buffer + c * g);
      g = flags & nesterov ? g + nesterov_share * buffer : buffer;
    }
    p = p - a * g;
  }
};

}  // namespace
}  // namespace fastadam
