// The kernels of one instruction set, as kernels.cpp offers them to the rest: plain data and one function. This header emits no
// code (kernels.cpp says why).
#pragma once

#include <stdint.h>

#include "../buffers.hpp"

namespace fastadam {

enum class RuleId;

// Applies the rule whose coefficients are at `rule` to the first `size` elements of `buffers`.
using StepKernel = void (*)(const void* rule, const void* transform, const Buffers& buffers, int64_t size);

// Of one rule and combination of its flags: `transforming` applies the GradientTransform at `transform` to each gradient before
// the rule sees it, `plain` takes gradients as they are.
struct StepKernels {
  StepKernel plain, transforming;
};

// A first argument is the address of a struct of csrc/rules.
struct Kernels {
  StepKernels (*step)(RuleId rule, unsigned flags);

  // Applies a ParamAverage to `ema`.
  void (*average)(const void* average, float* ema, const float* param, int64_t size);

  // Of at most norm_chunk numbers, in the order that rules/norm.hpp says.
  double (*sum_of_squares)(const float* x, int64_t size);
  double (*sum)(const double* x, int64_t size);
};

}  // namespace fastadam
