// The interface of kernels.cpp: the kernels of one instruction set for one type of elements, to whose arrays the addresses are.
// This header defines types only and so generates no code (kernels.cpp says why).
#pragma once

#include <stdint.h>

#include "../buffers.hpp"
#include "../stored.hpp"

namespace fastadam {

enum class RuleId;

// Applies the rule whose coefficients are at `rule` to the first `size` elements of `buffers`. Prefetches the arrays `ahead`
// elements ahead (prefetch.hpp); 0: not at all.
using StepKernel = void (*)(const void* rule, const void* transform, const Buffers& buffers, int64_t size, int64_t ahead);

// The same of arrays that are all bfloat16; `dither` is that of the first element (rules/formats.hpp).
using HalvesKernel = void (*)(const void* rule, const void* transform, const Buffers& buffers, int64_t size, unsigned dither);

// The kernels of a rule with one combination of its flags. `transforming` applies the GradientTransform at `transform` to each
// gradient before the rule sees it; `plain` uses gradients as they are. `halves` does one or, without a transform, the other.
struct StepKernels {
  StepKernel plain, transforming;
  HalvesKernel halves;  // null for float64
};

// A step of a tensor some of whose arrays are stored in other formats, all as float32 to the kernel.
struct StoredStep {
  StepKernel kernel;
  HalvesKernel halves;  // if all arrays are bfloat16, the parameter dithered, and there is no average; else null
  const void* rule;
  const void* transform;
  const void* average;  // a ParamAverage, and its array of float32; null without
  void* ema;
  Stored param, grad, states[max_states];
  Stored copy;  // of the updated parameter; `data` is null without
  int state_count;
  unsigned dither;  // that of the tensor's first element (rules/formats.hpp)
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

  // Steps the elements [begin, end), the first at the begin of a block, the last at an end of one or the tensor's. Null for
  // float64.
  void (*stored_step)(const StoredStep& step, int64_t begin, int64_t end);

  // Elements [begin, begin + size) as float32; `begin` is at the begin of a block. Null for float64.
  void (*decode)(const Stored& stored, int64_t begin, int64_t size, void* numbers);
};

}  // namespace fastadam
