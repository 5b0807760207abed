// Stochastic gradient descent, with momentum (Polyak, 1964) and Nesterov's variant, as in Sutskever et al. (2013).
#pragma once

#include "description.hpp"
#include "real.hpp"

namespace fastadam {
namespace {

struct SGD {
  enum Option { lr, momentum, dampening, weight_decay, with_nesterov, option_count };
  enum Flag : unsigned { with_momentum = 1, nesterov = 2, coupled = 4, variant_count = 8 };
  static constexpr OptionInfo options[] = {{"lr", Range::non_negative},
                                           {"momentum", Range::non_negative},
                                           {"dampening", Range::finite},
                                           {"weight_decay", Range::non_negative},
                                           {"nesterov", Range::flag}};
  static constexpr StateInfo states[] = {{"momentum_buffer", with_momentum}};

  static constexpr unsigned flags_of(const double* option) {
    return when(option[momentum] != 0, with_momentum) | when(option[with_nesterov] != 0, nesterov) |
           when(option[weight_decay] != 0, coupled);
  }

  // What is wrong with a combination of options that are valid by themselves, or nullptr.
  static constexpr const char* conflict(const double* option) {
    const bool fits = option[with_nesterov] == 0 || (option[momentum] != 0 && option[dampening] == 0);
    return fits ? nullptr : "nesterov is 1; expected a momentum above 0 and no dampening";
  }

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
