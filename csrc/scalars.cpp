// CMake compiles this file once for each type of elements, with FASTADAM_SCALARS set to the name of the table that the object
// exports.
#include "scalars.hpp"

#include <limits>

#include "rules/average.hpp"
#include "rules/gradient.hpp"
#include "rules/norm.hpp"
#include "rules/registry.hpp"

namespace fastadam {
namespace {

Coefficients rule_at_step(RuleId rule, const double* options, unsigned flags, int64_t step) {
  switch (rule) {
#define FASTADAM_CASE(id, type) \
  case RuleId::id:              \
    return Coefficients::of(type::at_step(options, flags, step));
    FASTADAM_RULES(FASTADAM_CASE)
#undef FASTADAM_CASE
  }
  return {};
}

Coefficients average_at_step(double decay, int64_t step) { return Coefficients::of(ParamAverage::at_step(decay, step)); }

Verdict verdict(double given, const StepOptions& options) {
  const NormVerdict verdict = judge_norm(given, options);
  return {verdict.norm, double{verdict.scale}, verdict.applies};
}

std::optional<Coefficients> gradient(const StepOptions& options, double scale, bool maximize) {
  const GradientTransform transform = transform_of(options, static_cast<Real>(scale), maximize);
  if (transform.scale == 1 && !(transform.limit < std::numeric_limits<Real>::infinity())) return std::nullopt;
  return Coefficients::of(transform);
}

}  // namespace

extern const Scalars FASTADAM_SCALARS;
const Scalars FASTADAM_SCALARS = {rule_at_step, average_at_step, verdict, gradient};

}  // namespace fastadam
