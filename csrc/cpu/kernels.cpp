// The CPU's kernels, which process contiguous elements. CMake compiles this file once per instruction set
// and type of elements, with FASTADAM_KERNELS_FUNCTION set to the name of the one function that the object exports.
//
// It may include only the rule headers and kernels.hpp, whose functions all have internal linkage: no standard library, no
// OpenMP. A shared inline function would be compiled here for AVX-512, and the linker might keep that copy for all callers.
#include "kernels.hpp"

#include "../rules/average.hpp"
#include "../rules/gradient.hpp"
#include "../rules/memory_wall.hpp"
#include "../rules/norm.hpp"
#include "../rules/registry.hpp"

// The arrays of a tensor never overlap (the callers check), so the compiler need not guard against it.
#if defined(__clang__)
#define FASTADAM_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define FASTADAM_INDEPENDENT _Pragma("GCC ivdep")
#else
#define FASTADAM_INDEPENDENT __pragma(loop(ivdep))
#endif

// Starts to load memory that will be read soon. The address need not be valid.
#if defined(__GNUC__)
#define FASTADAM_PREFETCH(address) __builtin_prefetch(address)
#else
#define FASTADAM_PREFETCH(address) static_cast<void>(address)
#endif

#if !defined(FASTADAM_FLOAT64)
#include "halves.hpp"
#endif

namespace fastadam {
namespace {

constexpr int64_t line = 64 / sizeof(Real);   // elements in a cache line
constexpr int64_t prefetch_block = 4 * line;  // elements between two rounds of prefetching

FASTADAM_INLINE void prefetch(const Real* x) {
  for (int64_t i = 0; i < prefetch_block; i += line) FASTADAM_PREFETCH(x + i);
}

template <class Rule, unsigned flags, bool transforms>
void step_kernel(const void* coefficients, const void* transform, const Buffers& buffers, int64_t size, int64_t ahead) {
  constexpr int states = count_states<Rule>(flags);
  static_assert(states <= max_states && max_states == 4, "each state has a line of its own below");
  const Rule rule = *static_cast<const Rule*>(coefficients);
  GradientTransform before = {};
  if constexpr (transforms) before = *static_cast<const GradientTransform*>(transform);
  Real* const param = static_cast<Real*>(buffers.param);
  const Real* const grad = static_cast<const Real*>(buffers.grad);
  Real* const state0 = static_cast<Real*>(buffers.state[0]);
  Real* const state1 = static_cast<Real*>(buffers.state[1]);
  Real* const state2 = static_cast<Real*>(buffers.state[2]);
  Real* const state3 = static_cast<Real*>(buffers.state[3]);
  const int64_t block = ahead > 0 ? prefetch_block : size;
  for (int64_t begin = 0, end; begin < size; begin = end) {
    end = size - begin < block ? size : begin + block;
    if (ahead > 0) {
      prefetch(param + begin + ahead);
      prefetch(grad + begin + ahead);
      if constexpr (states > 0) prefetch(state0 + begin + ahead);
      if constexpr (states > 1) prefetch(state1 + begin + ahead);
      if constexpr (states > 2) prefetch(state2 + begin + ahead);
      if constexpr (states > 3) prefetch(state3 + begin + ahead);
    }
    FASTADAM_INDEPENDENT
    for (int64_t i = begin; i < end; ++i) {
      Real p = param[i];
      Real state[max_states] = {};
      if constexpr (states > 0) state[0] = state0[i];
      if constexpr (states > 1) state[1] = state1[i];
      if constexpr (states > 2) state[2] = state2[i];
      if constexpr (states > 3) state[3] = state3[i];
      rule.template update<flags>(p, transforms ? before.apply(grad[i]) : grad[i], state);
      param[i] = p;
      if constexpr (states > 0) state0[i] = state[0];
      if constexpr (states > 1) state1[i] = state[1];
      if constexpr (states > 2) state2[i] = state[2];
      if constexpr (states > 3) state3[i] = state[3];
    }
  }
}

template <class Rule, unsigned flags = 0>
StepKernels kernels_for(unsigned wanted) {
  if constexpr (flags == Rule::variant_count) {
    return {};
  } else {
    if (wanted != flags) return kernels_for<Rule, flags + 1>(wanted);
#if defined(FASTADAM_FLOAT64)
    return {step_kernel<Rule, flags, false>, step_kernel<Rule, flags, true>, nullptr};
#else
    return {step_kernel<Rule, flags, false>, step_kernel<Rule, flags, true>, halves_kernel<Rule, flags>};
#endif
  }
}

StepKernels step_kernels(RuleId rule, unsigned flags) {
  switch (rule) {
#define FASTADAM_CASE(id, type) \
  case RuleId::id:              \
    return kernels_for<type>(flags);
    FASTADAM_RULES(FASTADAM_CASE)
#undef FASTADAM_CASE
  }
  return {};
}

void average_kernel(const void* average, void* averages, const void* params, int64_t size, int64_t ahead) {
  const ParamAverage apply = *static_cast<const ParamAverage*>(average);
  Real* const ema = static_cast<Real*>(averages);
  const Real* const param = static_cast<const Real*>(params);
  const int64_t block = ahead > 0 ? prefetch_block : size;
  for (int64_t begin = 0, end; begin < size; begin = end) {
    end = size - begin < block ? size : begin + block;
    if (ahead > 0) prefetch(ema + begin + ahead);
    FASTADAM_INDEPENDENT
    for (int64_t i = begin; i < end; ++i) apply.update(ema[i], param[i]);
  }
}

}  // namespace
}  // namespace fastadam

#if !defined(FASTADAM_FLOAT64)
#include "tiles.hpp"
#endif

namespace fastadam {
namespace {

// The terms of a sum.
struct Squares {
  using Number = Real;
  static FASTADAM_INLINE Real64 term(Real x) { return square(x); }
};
struct Numbers {
  using Number = Real64;
  static FASTADAM_INLINE Real64 term(Real64 x) { return x; }
};

template <class Terms>
double sum_kernel(const void* numbers, int64_t size) {
  using Number = typename Terms::Number;
  const Number* x = static_cast<const Number*>(numbers);
  Real64 lanes[norm_lanes] = {};
  for (; size >= norm_lanes; size -= norm_lanes, x += norm_lanes) {
    // Usually the next chunk. Without this, a thread that only reads leaves part of the memory's bandwidth unused.
    for (int j = 0; j < norm_lanes; j += 64 / sizeof(Number)) FASTADAM_PREFETCH(x + norm_chunk + j);
    for (int j = 0; j < norm_lanes; ++j) lanes[j] = lanes[j] + Terms::term(x[j]);
  }
  for (int j = 0; j < size; ++j) lanes[j] = lanes[j] + Terms::term(x[j]);
  return sum_lanes(lanes);
}

#if defined(FASTADAM_FLOAT64)
constexpr decltype(Kernels::stored_step) stored_step = nullptr;
constexpr decltype(Kernels::decode) decode = nullptr;
#endif

constexpr Kernels kernels = {
    step_kernels, average_kernel, step_kernel<MemoryWall<2>, 0, false>, sum_kernel<Squares>, sum_kernel<Numbers>,
    stored_step,  decode};

}  // namespace

extern "C" const Kernels* FASTADAM_KERNELS_FUNCTION() { return &kernels; }

}  // namespace fastadam
