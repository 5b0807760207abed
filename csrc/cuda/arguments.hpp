// The arguments of the CUDA kernels and the tables that they point to. NVRTC reads these structs for the device, a C++ compiler
// for the host, which tells Python their layout (cuda_structs.cpp): Real and Real64 have one size on both sides.
#pragma once

#include "../buffers.hpp"
#include "../rules/average.hpp"
#include "../rules/gradient.hpp"
#include "../rules/norm.hpp"

namespace fastadam {
namespace {

using Index = long long;

struct Tensor {
  float* param;
  const float* grad;             // in a list it is not used
  float* state[max_states + 1];  // the rule's, and then the average of the parameter
  Index size;
};

struct Chunk {
  int tensor, index;
};

// A list of tensors, in the device's memory.
struct List {
  const Tensor* tensors;
  const float* const* grads;  // one for each tensor; none leaves it alone
  const Chunk* chunks;
  Index chunk_count;
};

// What happens to the gradients of a group. They are multiplied by the scale of the verdict on their norm, if there is one,
// instead of that which is given.
struct Gradients {
  const NormVerdict* verdict;
  GradientTransform given;
  Real sign;  // -1 to maximize; `given` has it already

  FASTADAM_INLINE bool are_skipped() const { return verdict != nullptr && !verdict->applies; }
  FASTADAM_INLINE GradientTransform transform() const {
    return verdict == nullptr ? given : GradientTransform{sign * verdict->scale, given.limit};
  }
};

// What depends on the number of a step.
template <class Rule>
struct StepCoefficients {
  ParamAverage average;
  Rule rule;
};

template <class Rule>
struct StepArguments {
  Tensor tensor;
  Gradients gradients;
  StepCoefficients<Rule> coefficients;
};

template <class Rule>
struct StepListArguments {
  List list;
  Gradients gradients;
  StepCoefficients<Rule> coefficients;
};

template <class Rule>
struct StepCapturableArguments {
  List list;
  Gradients gradients;
  const StepCoefficients<Rule>* coefficients;  // of each tensor
};

template <class Rule>
struct AdvanceArguments {
  const NormVerdict* verdict;
  const float* const* grads;
  const Real64* options;  // the rule's, and then the decay of the average
  Index* steps;
  StepCoefficients<Rule>* coefficients;
  Index count;
};

// A gradient whose norm is to be found.
struct Extent {
  Index size;
  Index first_chunk;  // its place among the chunks of all gradients
};

struct NormArguments {
  const float* const* grads;
  const Extent* extents;
  Index count;  // of gradients, none of which is empty
  Index chunk_count;
  double* sums;                  // of chunks, with room for those of all levels
  unsigned long long* finished;  // blocks; 0 between launches
  StepOptions options;
  NormVerdict* verdict;
  Index* skips;  // none: not counted
};

// Eight-byte words that travel as an argument, so that writing them needs neither memory of the host nor synchronization. One
// launch writes at most so many: kernel arguments may take 4 KiB.
constexpr int most_words = 480;

struct WriteArguments {
  long long* destination;
  Index count;
  long long words[most_words];
};

}  // namespace
}  // namespace fastadam
