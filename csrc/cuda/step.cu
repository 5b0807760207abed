// The CUDA kernels of one rule with one combination of its flags, for one tensor and for lists of tensors. tensor.hpp has the
// work of a block, vector.hpp the memory accesses. fastadam/backends/cuda/source.py defines the rule, its flags, whether
// parameters are averaged, and the shape of a block. Nothing here includes a CUDA header or uses more of CUDA than the built-in
// indices, so that a C++ compiler can compile it too (tests/cuda_host.hpp).
#include "tensor.hpp"
#include "write.hpp"

namespace fastadam {
namespace {

FASTADAM_INLINE void step_listed_chunk(const Step& step, const List& list, const Chunk& chunk) {
  Tensor tensor = list.tensors[chunk.tensor];
  tensor.grad = list.grads[chunk.tensor];
  if (tensor.grad != nullptr) step_chunk(step, tensor, chunk.index);
}

}  // namespace
}  // namespace fastadam

using namespace fastadam;

// Steps one tensor, which its argument describes completely.
extern "C" __global__ void FASTADAM_KERNEL_BOUNDS fastadam_step(const __grid_constant__ StepArguments<Rule> arguments) {
  const auto& [tensor, gradients, coefficients] = arguments;
  if (gradients.are_skipped()) return;
  const Step step{coefficients.rule, gradients.transform(), coefficients.average};
  const Index chunks = (tensor.size + FASTADAM_CHUNK - 1) / FASTADAM_CHUNK;
  for (Index chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) step_chunk(step, tensor, chunk);
}

// Steps tensors that have the same step count.
extern "C" __global__ void FASTADAM_KERNEL_BOUNDS
fastadam_step_list(const __grid_constant__ StepListArguments<Rule> arguments) {
  const auto& [list, gradients, coefficients] = arguments;
  if (gradients.are_skipped()) return;
  const Step step{coefficients.rule, gradients.transform(), coefficients.average};
  for (Index c = blockIdx.x; c < list.chunk_count; c += gridDim.x) step_listed_chunk(step, list, list.chunks[c]);
}

// Steps tensors whose coefficients fastadam_advance has written to memory.
extern "C" __global__ void FASTADAM_KERNEL_BOUNDS
fastadam_step_capturable(const __grid_constant__ StepCapturableArguments<Rule> arguments) {
  const auto& [list, gradients, coefficients] = arguments;
  if (gradients.are_skipped()) return;
  const GradientTransform transform = gradients.transform();
  for (Index c = blockIdx.x; c < list.chunk_count; c += gridDim.x) {
    const Chunk chunk = list.chunks[c];
    const StepCoefficients<Rule> own = coefficients[chunk.tensor];
    step_listed_chunk({own.rule, transform, own.average}, list, chunk);
  }
}

// Advances the step count of each tensor that has a gradient and computes its coefficients, which else the host does.
extern "C" __global__ void FASTADAM_KERNEL_BOUNDS fastadam_advance(const __grid_constant__ AdvanceArguments<Rule> arguments) {
  const auto& [verdict, grads, options, steps, coefficients, count] = arguments;
  if (verdict != nullptr && !verdict->applies) return;
  for (Index i = blockIdx.x * static_cast<Index>(block) + threadIdx.x; i < count; i += gridDim.x * static_cast<Index>(block)) {
    if (grads[i] == nullptr) continue;
    const Index step = ++steps[i];
    coefficients[i].rule = Rule::at_step(options, flags, step);
    if constexpr (averages) coefficients[i].average = ParamAverage::at_step(options[Rule::option_count], step);
  }
}
