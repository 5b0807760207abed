// The arguments of the CUDA kernels and the tables that they point to. NVRTC compiles these structs for the device and a C++
// compiler for the host, which passes their layout to Python (cuda_structs.cpp). Real and Real64 have the same size on both.
#pragma once

#include "../buffers.hpp"
#include "../rules/average.hpp"
#include "../rules/gradient.hpp"
#include "../rules/norm.hpp"

namespace fastadam {
namespace {

using Index = long long;

#if defined(FASTADAM_FLOAT64)
using Element = double;
#else
using Element = float;
#endif

struct Tensor {
  Element* param;
  const Element* grad;             // not used in a list
  Element* state[max_states + 1];  // the rule's, then the average of the parameter
  Index size;
};

struct Chunk {
  int tensor, index;
};

// A list of tensors, in the device's memory.
struct List {
  const Tensor* tensors;
  const Element* const* grads;  // one for each tensor; null: it is not stepped
  const Chunk* chunks;
  Index chunk_count;
};

// What happens to the gradients of a group. If there is a verdict on their norm, its scale replaces the given one.
struct Gradients {
  const NormVerdict* verdict;
  GradientTransform given;
  Real sign;  // -1 to maximize; `given` includes it

  FASTADAM_INLINE bool are_skipped() const { return verdict != nullptr && !verdict->applies; }
  FASTADAM_INLINE GradientTransform transform() const {
    return verdict == nullptr ? given : GradientTransform{sign * verdict->scale, given.limit};
  }
};

// What depends on the step number.
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
  const Element* const* grads;
  const Real64* options;  // the rule's, then the decay of the average
  Index* steps;
  StepCoefficients<Rule>* coefficients;
  Index count;
};

// The size of a gradient and its place in the computation of the norm.
struct Extent {
  Index size;
  Index first_chunk;  // its index among the chunks of all gradients
};

// What blocks tell each other, and one launch the next. Zeros between steps.
struct NormProgress {
  unsigned long long finished;  // blocks
  unsigned long long largest;   // magnitude of an element, as the bits of a float64, which have the order of the numbers
  double scale;  // for the second launch, which finds the norm of float64 elements; 0: the first one has found it
};

struct NormArguments {
  const Element* const* grads;
  const Extent* extents;
  Index count;  // of gradients, none of which is empty
  Index chunk_count;
  double* sums;  // of chunks, with room for all rounds
  NormProgress* progress;
  StepOptions options;
  NormVerdict* verdict;
  Index* skips;  // null: not counted
};

// How many eight-byte words one launch can write. They are passed as a kernel argument, which can have 4 KiB, so that writing
// them needs neither host memory nor synchronization.
constexpr int most_words = 480;

struct WriteArguments {
  long long* destination;
  Index count;
  long long words[most_words];
};

}  // namespace
}  // namespace fastadam
