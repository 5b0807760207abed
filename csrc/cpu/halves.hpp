// Steps of tensors all of whose arrays are bfloat16, in one loop: faster than by tiles, and as short. A part of kernels.cpp.
#pragma once

#include "../rules/description.hpp"
#include "../rules/formats.hpp"
#include "kernels.hpp"

namespace fastadam {
namespace {

// Whether state k of those that a rule has with these flags is a square.
template <class Rule>
constexpr bool is_square(unsigned flags, int k) {
  for (const StateInfo& state : Rule::states) {
    if (is_kept(state, flags) && k-- == 0) return state.sign == StateInfo::squares;
  }
  return false;
}

// `u` is the dither of the first element. Gradients are always transformed, if need be by nothing, which changes no bit and is
// free beside the memory: a second kernel for gradients as they are would be half as much code again.
template <class Rule, unsigned flags>
void halves_kernel(const void* coefficients, const void* transform, const Buffers& buffers, int64_t size, Word u) {
  constexpr int states = count_states<Rule>(flags);
  const Rule rule = *static_cast<const Rule*>(coefficients);
  GradientTransform before = {1, float_of(infinity_bits)};
  if (transform) before = *static_cast<const GradientTransform*>(transform);
  Half* const param = static_cast<Half*>(buffers.param);
  const Half* const grad = static_cast<const Half*>(buffers.grad);
  Half* const state0 = static_cast<Half*>(buffers.state[0]);
  Half* const state1 = static_cast<Half*>(buffers.state[1]);
  Half* const state2 = static_cast<Half*>(buffers.state[2]);
  Half* const state3 = static_cast<Half*>(buffers.state[3]);
  const auto stored = [](float x, Word at, bool square) {
    return to_bfloat16(x, square ? dithering(at + dithered_square) : ties_away);
  };
  FASTADAM_INDEPENDENT
  for (int64_t i = 0; i < size; ++i) {
    const Word at = u + along_elements * static_cast<Word>(i);
    float p = from_bfloat16(param[i]);
    const float g = from_bfloat16(grad[i]);
    float state[max_states] = {};
    if constexpr (states > 0) state[0] = from_bfloat16(state0[i]);
    if constexpr (states > 1) state[1] = from_bfloat16(state1[i]);
    if constexpr (states > 2) state[2] = from_bfloat16(state2[i]);
    if constexpr (states > 3) state[3] = from_bfloat16(state3[i]);
    rule.template update<flags>(p, before.apply(g), state);
    param[i] = to_bfloat16(p, dithering(at + dithered_param));
    if constexpr (states > 0) state0[i] = stored(state[0], at, is_square<Rule>(flags, 0));
    if constexpr (states > 1) state1[i] = stored(state[1], at, is_square<Rule>(flags, 1));
    if constexpr (states > 2) state2[i] = stored(state[2], at, is_square<Rule>(flags, 2));
    if constexpr (states > 3) state3[i] = stored(state[3], at, is_square<Rule>(flags, 3));
  }
}

}  // namespace
}  // namespace fastadam
