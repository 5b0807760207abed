// What a step computes once for all elements of a tensor, for each type of elements. The calling thread must have the default
// floating-point environment.
#pragma once

#include <cstdint>
#include <optional>

#include "coefficients.hpp"
#include "dtype.hpp"
#include "step_options.hpp"

namespace fastadam {

enum class RuleId;

// What a step derives from the norm of its gradients: a NormVerdict whose scale is rounded to the type.
struct Verdict {
  double norm, scale;
  bool applies;
};

struct Scalars {
  // The coefficients of a rule with these options and flags in step `step` >= 1.
  Coefficients (*rule)(RuleId rule, const double* options, unsigned flags, int64_t step);

  // The ParamAverage of that step.
  Coefficients (*average)(double decay, int64_t step);

  // By the norm of the gradients as they are given.
  Verdict (*verdict)(double given, const StepOptions& options);

  // The GradientTransform, with `scale` in place of the options' grad_scale; none if it leaves every gradient as it is.
  std::optional<Coefficients> (*gradient)(const StepOptions& options, double scale, bool maximize);
};

const Scalars& scalars_of(DType dtype);

}  // namespace fastadam
