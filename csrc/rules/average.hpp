// The exponential moving average of a parameter, bias-corrected (Kingma & Ba, 2015, section 7.2), updated after its step.
#pragma once

#include "power.hpp"
#include "real.hpp"

namespace fastadam {
namespace {

// The paper keeps decay * ema + (1 - decay) * p and divides by 1 - decay^t to read it. Here the corrected average itself is
// kept: with share = (1 - decay) / (1 - decay^t) it is (1 - share) * ema + share * p, and p in the first step.
struct ParamAverage {
  Real keep, share;

  static FASTADAM_INLINE ParamAverage at_step(Real64 decay, long long t) {
    const Scalar d = Real64(Real(decay));
    ParamAverage average;
    average.share = Real((Real64(1) - d) / (Real64(1) - power(d, t)));
    average.keep = Real(1) - average.share;
    return average;
  }

  FASTADAM_INLINE void update(Real& ema, Real p) const { ema = flush_subnormal(keep * ema + share * p); }
};

}  // namespace
}  // namespace fastadam
