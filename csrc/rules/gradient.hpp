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
    return limit < x ? limit : x < -limit ? -limit : x;
  }
};

}  // namespace
}  // namespace fastadam
