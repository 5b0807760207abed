// The work of the CUDA kernels on one tensor, which is split into chunks of FASTADAM_CHUNK elements. A block processes one
// chunk at a time; any grid size works.
#pragma once

#include "../rules/registry.hpp"
#include "vector.hpp"

namespace fastadam {
namespace {

using Rule = FASTADAM_RULE;
constexpr unsigned flags = FASTADAM_FLAGS;
constexpr bool averages = FASTADAM_AVERAGES;
constexpr int rule_states = count_states<Rule>(flags), states = rule_states + averages;
constexpr int block = FASTADAM_BLOCK;      // threads
constexpr int vectors = FASTADAM_VECTORS;  // that a thread loads of each array before it computes

// Limits registers, so that this many blocks fit on a multiprocessor at once.
#define FASTADAM_KERNEL_BOUNDS __launch_bounds__(FASTADAM_BLOCK, FASTADAM_RESIDENT)

constexpr Index vectors_per_chunk = FASTADAM_CHUNK / width;
static_assert(FASTADAM_CHUNK % (width * block * vectors) == 0);
static_assert(block >= 2 * (width - 1), "a block steps the elements before and after the vectors at once");

// What a step does to one element.
struct Step {
  const Rule& rule;
  GradientTransform gradient;
  ParamAverage average;

  FASTADAM_INLINE void update(Real& p, Real g, Real* state) const {
    rule.template update<flags>(p, gradient.apply(g), state);
    if constexpr (averages) average.update(state[rule_states], p);
  }
};

FASTADAM_INLINE void step_element(const Step& step, const Tensor& tensor, Index i) {
  Real p = Real(tensor.param[i]);
  Real state[states + 1];
  for (int k = 0; k < states; ++k) state[k] = Real(tensor.state[k][i]);
  step.update(p, Real(tensor.grad[i]), state);
  tensor.param[i] = static_cast<Element>(p);
  for (int k = 0; k < states; ++k) tensor.state[k][i] = static_cast<Element>(state[k]);
}

// Steps `count` vectors, `block` vectors apart, the first of which starts at element `first`. All loads come before the
// first use, so that they are under way together.
template <bool aligned, int count>
FASTADAM_INLINE void step_vectors(const Step& step, const Tensor& tensor, Index first) {
  Vector param[count], grad[count], state[states + 1][count];
#pragma unroll
  for (int n = 0; n < count; ++n) {
    const Index i = first + static_cast<Index>(n) * block * width;
    param[n] = load<aligned>(tensor.param + i);
    grad[n] = load<aligned>(tensor.grad + i);
#pragma unroll
    for (int k = 0; k < states; ++k) state[k][n] = load<aligned>(tensor.state[k] + i);
  }
#pragma unroll
  for (int n = 0; n < count; ++n) {
#pragma unroll
    for (int j = 0; j < width; ++j) {
      Real p = Real(param[n].element[j]);
      Real s[states + 1];
      for (int k = 0; k < states; ++k) s[k] = Real(state[k][n].element[j]);
      step.update(p, Real(grad[n].element[j]), s);
      param[n].element[j] = static_cast<Element>(p);
      for (int k = 0; k < states; ++k) state[k][n].element[j] = static_cast<Element>(s[k]);
    }
    const Index i = first + static_cast<Index>(n) * block * width;
    store<aligned>(tensor.param + i, param[n]);
#pragma unroll
    for (int k = 0; k < states; ++k) store<aligned>(tensor.state[k] + i, state[k][n]);
  }
}

// Vectors start after `head` elements, where the parameter is aligned. If `aligned`, so are all other arrays.
template <bool aligned>
FASTADAM_INLINE void step_chunk_of_vectors(const Step& step, const Tensor& tensor, Index head, Index count, Index chunk) {
  const Index begin = chunk * vectors_per_chunk + threadIdx.x;
  for (Index v = begin; v < begin + vectors_per_chunk && v < count; v += block * vectors) {
    if (v + (vectors - 1) * block < count) {
      step_vectors<aligned, vectors>(step, tensor, head + v * width);
    } else {
      for (Index last = v; last < count; last += block) step_vectors<aligned, 1>(step, tensor, head + last * width);
    }
  }
}

FASTADAM_INLINE void step_chunk(const Step& step, const Tensor& tensor, Index chunk) {
  const Index to_boundary = (width - misalignment(tensor.param)) % width;
  const Index head = to_boundary < tensor.size ? to_boundary : tensor.size;
  const Index count = (tensor.size - head) / width;  // of whole vectors
  if (chunk == 0) {                                  // also does the elements before and after the vectors
    const Index thread = threadIdx.x;
    const Index i = thread < head ? thread : thread + count * width;
    if (i < tensor.size) step_element(step, tensor, i);
  }
  int misaligned = misalignment(tensor.grad + head);
  for (int k = 0; k < states; ++k) misaligned |= misalignment(tensor.state[k] + head);
  if (misaligned == 0) {
    step_chunk_of_vectors<true>(step, tensor, head, count, chunk);
  } else {
    step_chunk_of_vectors<false>(step, tensor, head, count, chunk);
  }
}

}  // namespace
}  // namespace fastadam
