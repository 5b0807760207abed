// What happens to a gradient before a rule sees it: its sign, scaling and clipping, in the same pass.
#pragma once

#include "../step_options.hpp"
#include "real.hpp"

namespace fastadam {
namespace {

struct GradientTransform {
  Real scale;  // grad_scale, times the factor that clips by global norm; negated to maximize
  Real limit;  // largest magnitude; infinity: no limit

  // NaN stays NaN.
  FASTADAM_INLINE Real apply(Real g) const {
    const Real x = scale * g;
    const Real below = limit < x ? limit : x;
    return below < -limit ? -limit : below;
  }
};

// `scale` is that of the step. To maximize, its sign is changed, which gives the bits of a negated gradient.
FASTADAM_INLINE GradientTransform transform_of(const StepOptions& options, Real scale, bool maximize) {
  return {maximize ? -scale : scale, Real(Real64(options.clip_value))};
}

}  // namespace
}  // namespace fastadam
