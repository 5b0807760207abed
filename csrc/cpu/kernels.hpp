// The interface of kernels.cpp: the kernels of one instruction set for one type of elements, to whose arrays the addresses are.
// This header defines types only and so generates no code (kernels.cpp says why).
#pragma once

#include <stdint.h>

#include "../buffers.hpp"

namespace fastadam {

enum class RuleId;

// Applies the rule whose coefficients are at `rule` to the first `size` elements of `buffers`. Prefetches the arrays `ahead`
// elements ahead (prefetch.hpp); 0: not at all.
using StepKernel = void (*)(const void* rule, const void* transform, const Buffers& buffers, int64_t size, int64_t ahead);

// The kernels of a rule with one combination of its flags. `transforming` applies the GradientTransform at `transform` to each
// gradient before the rule sees it; `plain` uses gradients as they are.
struct StepKernels {
  StepKernel plain, transforming;
};

struct Kernels {
  StepKernels (*step)(RuleId rule, unsigned flags);

  // Applies a ParamAverage to `ema`.
  void (*average)(const void* average, void* ema, const void* param, int64_t size, int64_t ahead);

  // The loads and stores of a step of Adam (rules/memory_wall.hpp).
  StepKernel memory_wall;

  // For at most norm_chunk numbers, in the order that rules/norm.hpp defines.
  double (*sum_of_squares)(const void* x, int64_t size);
  double (*sum)(const void* x, int64_t size);  // of float64, whatever the type
};

}  // namespace fastadam
