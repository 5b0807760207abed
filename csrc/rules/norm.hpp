// The global norm of gradients: the root of a sum of squares in float64, in the same order on every machine.
//
// Each tensor is cut into chunks of `norm_chunk` elements. In a chunk, lane j of `norm_lanes` adds up the squares of elements
// j, j + norm_lanes, ... in this order, and the lanes are added in halves (sum_lanes). The chunks' sums, those of all tensors
// laid end to end, are added up in chunks in the same way until one is left. The square of a float32 is exact in float64; that
// of a float64 is rounded, and cpu/norm.cpp has what is done where squares overflow or underflow.
#pragma once

#include "../step_options.hpp"
#include "real.hpp"

namespace fastadam {
namespace {

constexpr int norm_lanes = 32, norm_chunk = 2048;

FASTADAM_INLINE Real64 square(Real x) { return Real64(x) * Real64(x); }

// Adds the upper half of the lanes to the lower one until one lane is left.
FASTADAM_INLINE Real64 sum_lanes(Real64* lanes) {
  for (int half = norm_lanes / 2; half > 0; half /= 2) {
    for (int j = 0; j < half; ++j) lanes[j] = lanes[j] + lanes[j + half];
  }
  return lanes[0];
}

// What a step derives from the sum of squares.
struct NormVerdict {
  Real64 norm;   // of the gradients times grad_scale
  Real scale;    // the factor for the gradients
  bool applies;  // false: the step is skipped
};

// By the norm of the gradients as they are given. With a max_norm, one that is NaN makes the scale NaN.
FASTADAM_INLINE NormVerdict judge_norm(Real64 given, const StepOptions& options) {
  constexpr double largest = 1.7976931348623157e308;
  const Real64 grad_scale = Real64(options.grad_scale), max_norm = Real64(options.max_norm);
  NormVerdict verdict;
  verdict.norm = absolute(grad_scale) * given;
  const bool is_within = verdict.norm < max_norm || Real64(largest) < max_norm;
  verdict.scale = Real(is_within ? grad_scale : grad_scale * (max_norm / verdict.norm));
  const bool is_finite = given >= Real64(0) && !(Real64(largest) < given);
  verdict.applies = !options.skip_nonfinite || is_finite;
  return verdict;
}

}  // namespace
}  // namespace fastadam
