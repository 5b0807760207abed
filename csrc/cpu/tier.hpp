// What a tier object offers the rest: plain data and one function. This header emits no code (tier.cpp says why).
#pragma once

#include <stdint.h>

#include "../buffers.hpp"

namespace fastadam {

enum class RuleId;

// Applies the rule whose coefficients are at `rule` to the first `size` elements of `buffers`.
using Kernel = void (*)(const void* rule, const Buffers& buffers, int64_t size);

// The loops of a tier. A first argument is the address of a struct of csrc/rules.
struct Loops {
  // The kernel of a rule and a combination of its flags.
  Kernel (*kernel)(RuleId rule, unsigned flags);

  // Applies a GradientTransform to `grad`; the result goes to `out`.
  void (*transform)(const void* transform, const float* grad, float* out, int64_t size);

  // Applies a ParamAverage to `ema`.
  void (*average)(const void* average, float* ema, const float* param, int64_t size);

  // Of at most norm_chunk numbers, in the order that rules/norm.hpp says.
  double (*sum_of_squares)(const float* x, int64_t size);
  double (*sum)(const double* x, int64_t size);
};

}  // namespace fastadam
