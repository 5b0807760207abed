// The loop over a contiguous span. CMake compiles this file once per instruction set, with FASTADAM_TIER_FUNCTION set to the
// name of the one function that the object exports.
//
// It may include only the rule headers and tier.hpp, whose functions all have internal linkage: no standard library, no
// OpenMP. A shared inline function would be compiled here for AVX-512, and the linker might keep that copy for everyone.
#include "tier.hpp"

#include "../rules/registry.hpp"

// The arrays of a tensor never overlap (the callers check), so the compiler need not guard against it.
#if defined(__clang__)
#define FASTADAM_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define FASTADAM_INDEPENDENT _Pragma("GCC ivdep")
#else
#define FASTADAM_INDEPENDENT __pragma(loop(ivdep))
#endif

namespace fastadam {
namespace {

template <class Rule, unsigned flags>
void loop(const void* coefficients, const Buffers& buffers, int64_t begin, int64_t end) {
  constexpr int states = Rule::state_count(flags);
  const Rule rule = *static_cast<const Rule*>(coefficients);
  float* const param = buffers.param;
  const float* const grad = buffers.grad;
  float* const state0 = buffers.state[0];
  float* const state1 = buffers.state[1];
  float* const state2 = buffers.state[2];
  FASTADAM_INDEPENDENT
  for (int64_t i = begin; i < end; ++i) {
    Real p = param[i];
    Real state[max_states] = {};
    if constexpr (states > 0) state[0] = state0[i];
    if constexpr (states > 1) state[1] = state1[i];
    if constexpr (states > 2) state[2] = state2[i];
    rule.template update<flags>(p, grad[i], state);
    param[i] = p;
    if constexpr (states > 0) state0[i] = state[0];
    if constexpr (states > 1) state1[i] = state[1];
    if constexpr (states > 2) state2[i] = state[2];
  }
}

template <class Rule, unsigned flags = 0>
Kernel loop_for(unsigned wanted) {
  if constexpr (flags == Rule::variant_count) {
    return nullptr;
  } else {
    return wanted == flags ? loop<Rule, flags> : loop_for<Rule, flags + 1>(wanted);
  }
}

}  // namespace

extern "C" Kernel FASTADAM_TIER_FUNCTION(RuleId rule, unsigned flags) {
  switch (rule) {
#define FASTADAM_CASE(id, type) \
  case RuleId::id:              \
    return loop_for<type>(flags);
    FASTADAM_RULES(FASTADAM_CASE)
#undef FASTADAM_CASE
  }
  return nullptr;
}

}  // namespace fastadam
