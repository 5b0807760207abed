// The CUDA kernels of one rule with one combination of its flags, which fastadam/cuda/source.py defines along with the
// shape of a block. It reads no header of CUDA's, and uses no feature of it beyond the built-in indices, so that a C++
// compiler can run it too (tests/cuda_host.hpp).
//
// Work is cut into chunks of FASTADAM_CHUNK elements of one tensor. A block takes a chunk at a time, and any grid will do.
#include "../buffers.hpp"
#include "../rules/registry.hpp"
#include "vector.hpp"

namespace fastadam {
namespace {

using Rule = FASTADAM_RULE;
constexpr unsigned flags = FASTADAM_FLAGS;
constexpr int states = Rule::state_count(flags);
constexpr int block = FASTADAM_BLOCK;      // threads
constexpr int vectors = FASTADAM_VECTORS;  // that a thread loads of each array before it computes

// Enough registers for this many blocks on a multiprocessor at once.
#define FASTADAM_KERNEL_BOUNDS __launch_bounds__(FASTADAM_BLOCK, FASTADAM_RESIDENT)

using Index = long long;

constexpr Index vectors_per_chunk = FASTADAM_CHUNK / width;
static_assert(FASTADAM_CHUNK % (width * block * vectors) == 0);
static_assert(block >= 2 * (width - 1), "a block steps the elements before and after the vectors at once");

struct Tensor {
  Buffers buffers;
  Index size;
};

struct Chunk {
  int tensor, index;
};

FASTADAM_INLINE void step_element(const Rule& rule, const Buffers& buffers, Index i) {
  Real p = Real(buffers.param[i]);
  Real state[max_states];
  for (int k = 0; k < states; ++k) state[k] = Real(buffers.state[k][i]);
  rule.template update<flags>(p, Real(buffers.grad[i]), state);
  buffers.param[i] = static_cast<float>(p);
  for (int k = 0; k < states; ++k) buffers.state[k][i] = static_cast<float>(state[k]);
}

// Steps `count` vectors, `block` vectors apart, the first of which starts at element `first`. All loads come before the
// first use, so that they are under way together.
template <bool aligned, int count>
FASTADAM_INLINE void step_vectors(const Rule& rule, const Buffers& buffers, Index first) {
  Vector param[count], grad[count], state[max_states][count];
#pragma unroll
  for (int n = 0; n < count; ++n) {
    const Index i = first + static_cast<Index>(n) * block * width;
    param[n] = load<aligned>(buffers.param + i);
    grad[n] = load<aligned>(buffers.grad + i);
#pragma unroll
    for (int k = 0; k < states; ++k) state[k][n] = load<aligned>(buffers.state[k] + i);
  }
#pragma unroll
  for (int n = 0; n < count; ++n) {
#pragma unroll
    for (int j = 0; j < width; ++j) {
      Real p = Real(param[n].element[j]);
      Real s[max_states];
      for (int k = 0; k < states; ++k) s[k] = Real(state[k][n].element[j]);
      rule.template update<flags>(p, Real(grad[n].element[j]), s);
      param[n].element[j] = static_cast<float>(p);
      for (int k = 0; k < states; ++k) state[k][n].element[j] = static_cast<float>(s[k]);
    }
    const Index i = first + static_cast<Index>(n) * block * width;
    store<aligned>(buffers.param + i, param[n]);
#pragma unroll
    for (int k = 0; k < states; ++k) store<aligned>(buffers.state[k] + i, state[k][n]);
  }
}

// Vectors begin where the parameter is aligned, after `head` elements; `aligned` says that all arrays are so there.
template <bool aligned>
FASTADAM_INLINE void step_chunk_of_vectors(const Rule& rule, const Buffers& buffers, Index head, Index count, Index chunk) {
  const Index begin = chunk * vectors_per_chunk + threadIdx.x;
  for (Index v = begin; v < begin + vectors_per_chunk && v < count; v += block * vectors) {
    if (v + (vectors - 1) * block < count) {
      step_vectors<aligned, vectors>(rule, buffers, head + v * width);
    } else {
      for (Index last = v; last < count; last += block) step_vectors<aligned, 1>(rule, buffers, head + last * width);
    }
  }
}

FASTADAM_INLINE void step_chunk(const Rule& rule, const Tensor& tensor, Index chunk) {
  const Buffers& buffers = tensor.buffers;
  const Index to_boundary = (width - misalignment(buffers.param)) % width;
  const Index head = to_boundary < tensor.size ? to_boundary : tensor.size;
  const Index count = (tensor.size - head) / width;  // of whole vectors
  if (chunk == 0) {                                  // also does the elements before and after the vectors
    const Index thread = threadIdx.x;
    const Index i = thread < head ? thread : thread + count * width;
    if (i < tensor.size) step_element(rule, buffers, i);
  }
  int misaligned = misalignment(buffers.grad + head);
  for (int k = 0; k < states; ++k) misaligned |= misalignment(buffers.state[k] + head);
  if (misaligned == 0) {
    step_chunk_of_vectors<true>(rule, buffers, head, count, chunk);
  } else {
    step_chunk_of_vectors<false>(rule, buffers, head, count, chunk);
  }
}

// A list of tensors, in the device's memory.
struct List {
  const Tensor* tensors;      // their buffers.grad is not used
  const float* const* grads;  // one for each tensor; none leaves it alone
  const Chunk* chunks;
  Index chunk_count;
};

FASTADAM_INLINE void step_listed_chunk(const Rule& rule, const List& list, const Chunk& chunk) {
  Tensor tensor = list.tensors[chunk.tensor];
  tensor.buffers.grad = list.grads[chunk.tensor];
  if (tensor.buffers.grad != nullptr) step_chunk(rule, tensor, chunk.index);
}

struct StepArguments {
  Tensor tensor;
  Rule rule;
};

struct StepListArguments {
  List list;
  Rule rule;
};

struct StepCapturableArguments {
  List list;
  const Rule* rules;  // one for each tensor
};

struct AdvanceArguments {
  const Real64* options;
  Index* steps;
  Rule* rules;
  Index count;
};

// Eight-byte words that travel as an argument, so that writing them needs neither memory of the host nor synchronization.
struct WriteArguments {
  long long* destination;
  Index count;
  long long words[FASTADAM_WORDS];
};

}  // namespace
}  // namespace fastadam

using namespace fastadam;

// One tensor, all that is known of it an argument.
extern "C" __global__ void FASTADAM_KERNEL_BOUNDS fastadam_step(const __grid_constant__ StepArguments arguments) {
  const Index chunks = (arguments.tensor.size + FASTADAM_CHUNK - 1) / FASTADAM_CHUNK;
  for (Index chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) step_chunk(arguments.rule, arguments.tensor, chunk);
}

// Tensors that share their step count.
extern "C" __global__ void FASTADAM_KERNEL_BOUNDS fastadam_step_list(const __grid_constant__ StepListArguments arguments) {
  const List& list = arguments.list;
  for (Index c = blockIdx.x; c < list.chunk_count; c += gridDim.x) step_listed_chunk(arguments.rule, list, list.chunks[c]);
}

// Tensors whose coefficients fastadam_advance has left in memory.
extern "C" __global__ void FASTADAM_KERNEL_BOUNDS
fastadam_step_capturable(const __grid_constant__ StepCapturableArguments arguments) {
  const List& list = arguments.list;
  for (Index c = blockIdx.x; c < list.chunk_count; c += gridDim.x) {
    const Chunk chunk = list.chunks[c];
    const Rule rule = arguments.rules[chunk.tensor];
    step_listed_chunk(rule, list, chunk);
  }
}

// Advances the step count of each tensor and computes its coefficients, as the host does otherwise.
extern "C" __global__ void FASTADAM_KERNEL_BOUNDS fastadam_advance(const __grid_constant__ AdvanceArguments arguments) {
  for (Index i = blockIdx.x * static_cast<Index>(block) + threadIdx.x; i < arguments.count;
       i += gridDim.x * static_cast<Index>(block)) {
    arguments.rules[i] = Rule::at_step(arguments.options, flags, ++arguments.steps[i]);
  }
}

extern "C" __global__ void FASTADAM_KERNEL_BOUNDS fastadam_write(const __grid_constant__ WriteArguments arguments) {
  for (Index i = threadIdx.x; i < arguments.count; i += block) arguments.destination[i] = arguments.words[i];
}
