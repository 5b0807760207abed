// The CUDA kernels of one rule with one combination of its flags: launches and lists of tensors. tensor.hpp has what a block
// does, and vector.hpp what a memory instruction does. fastadam/backends/cuda/source.py defines the rule, its flags, whether parameters
// are averaged, and the shape of a block. Nothing here reads a header of CUDA's or uses a feature of it beyond the built-in
// indices, so that a C++ compiler can run it too (tests/cuda_host.hpp).
#include "../rules/norm.hpp"
#include "tensor.hpp"
#include "write.hpp"

namespace fastadam {
namespace {

struct Chunk {
  int tensor, index;
};

// Gradients are multiplied by the scale of the verdict on their norm, if there is one, instead of that which is given.
struct Gradients {
  const NormVerdict* verdict;
  GradientTransform given;

  FASTADAM_INLINE bool are_skipped() const { return verdict != nullptr && !verdict->applies; }
  FASTADAM_INLINE GradientTransform transform() const {
    return verdict == nullptr ? given : GradientTransform{verdict->scale, given.limit};
  }
};

// A list of tensors, in the device's memory.
struct List {
  const Tensor* tensors;      // their grad is not used
  const float* const* grads;  // one for each tensor; none leaves it alone
  const Chunk* chunks;
  Index chunk_count;
};

FASTADAM_INLINE void step_listed_chunk(const Step& step, const List& list, const Chunk& chunk) {
  Tensor tensor = list.tensors[chunk.tensor];
  tensor.grad = list.grads[chunk.tensor];
  if (tensor.grad != nullptr) step_chunk(step, tensor, chunk.index);
}

// What depends on the number of a step.
struct StepCoefficients {
  ParamAverage average;
  Rule rule;
};

struct StepArguments {
  Tensor tensor;
  Gradients gradients;
  StepCoefficients coefficients;
};

struct StepListArguments {
  List list;
  Gradients gradients;
  StepCoefficients coefficients;
};

struct StepCapturableArguments {
  List list;
  Gradients gradients;
  const StepCoefficients* coefficients;  // of each tensor
};

struct AdvanceArguments {
  const NormVerdict* verdict;
  const float* const* grads;
  const Real64* options;  // the rule's, and then the decay of the average
  Index* steps;
  StepCoefficients* coefficients;
  Index count;
};

}  // namespace
}  // namespace fastadam

using namespace fastadam;

// One tensor, all that is known of it an argument.
extern "C" __global__ void FASTADAM_KERNEL_BOUNDS fastadam_step(const __grid_constant__ StepArguments arguments) {
  const auto& [tensor, gradients, coefficients] = arguments;
  if (gradients.are_skipped()) return;
  const Step step{coefficients.rule, gradients.transform(), coefficients.average};
  const Index chunks = (tensor.size + FASTADAM_CHUNK - 1) / FASTADAM_CHUNK;
  for (Index chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) step_chunk(step, tensor, chunk);
}

// Tensors that share their step count.
extern "C" __global__ void FASTADAM_KERNEL_BOUNDS fastadam_step_list(const __grid_constant__ StepListArguments arguments) {
  const auto& [list, gradients, coefficients] = arguments;
  if (gradients.are_skipped()) return;
  const Step step{coefficients.rule, gradients.transform(), coefficients.average};
  for (Index c = blockIdx.x; c < list.chunk_count; c += gridDim.x) step_listed_chunk(step, list, list.chunks[c]);
}

// Tensors whose coefficients fastadam_advance has left in memory.
extern "C" __global__ void FASTADAM_KERNEL_BOUNDS
fastadam_step_capturable(const __grid_constant__ StepCapturableArguments arguments) {
  const auto& [list, gradients, coefficients] = arguments;
  if (gradients.are_skipped()) return;
  const GradientTransform transform = gradients.transform();
  for (Index c = blockIdx.x; c < list.chunk_count; c += gridDim.x) {
    const Chunk chunk = list.chunks[c];
    const StepCoefficients own = coefficients[chunk.tensor];
    step_listed_chunk({own.rule, transform, own.average}, list, chunk);
  }
}

// Advances the step count of each tensor that has a gradient and computes its coefficients, as the host does otherwise.
extern "C" __global__ void FASTADAM_KERNEL_BOUNDS fastadam_advance(const __grid_constant__ AdvanceArguments arguments) {
  const auto& [verdict, grads, options, steps, coefficients, count] = arguments;
  if (verdict != nullptr && !verdict->applies) return;
  for (Index i = blockIdx.x * static_cast<Index>(block) + threadIdx.x; i < count; i += gridDim.x * static_cast<Index>(block)) {
    if (grads[i] == nullptr) continue;
    const Index step = ++steps[i];
    coefficients[i].rule = Rule::at_step(options, flags, step);
    if constexpr (averages) coefficients[i].average = ParamAverage::at_step(options[Rule::option_count], step);
  }
}
