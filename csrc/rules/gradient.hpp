// What happens to a gradient before a rule sees it: scaling and clipping, in the same pass.
#pragma once

#include "real.hpp"

namespace fastadam {
namespace {

struct GradientTransform {
  Real scale;  // grad_scale, times the factor that clips by global norm
  Real limit;  // largest magnitude; infinity: any

  // NaN stays NaN.
  FASTADAM_INLINE Real apply(Real g) const {
    const Real x = scale * g;
    const Real below = limit < x ? limit : x;
    return below < -limit ? -limit : below;
  }
};

}  // namespace
}  // namespace fastadam
