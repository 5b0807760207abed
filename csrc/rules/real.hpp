// The scalar type of the update rules and the few functions they need beyond + - * / and comparison.
//
// A rule is written once in these terms and compiled by every backend. On the CPU `Real` is plain `float`: each operator is
// one IEEE-754 binary32 operation, given that the compiler is told not to contract (see CMakeLists.txt).
//
// Everything here and in the rule headers lives in an unnamed namespace on purpose. Each instruction-set tier compiles its
// own copy, and a function with external linkage would let the linker keep, say, the AVX-512 copy for all of them.
#pragma once

#if defined(_MSC_VER)
#include <math.h>
#define FASTADAM_INLINE __forceinline
#else
#define FASTADAM_INLINE inline __attribute__((always_inline))
#endif

namespace fastadam {
namespace {

using Real = float;

#if defined(_MSC_VER)
FASTADAM_INLINE Real square_root(Real x) { return sqrtf(x); }
FASTADAM_INLINE double square_root(double x) { return sqrt(x); }
FASTADAM_INLINE Real absolute(Real x) { return fabsf(x); }
#else
FASTADAM_INLINE Real square_root(Real x) { return __builtin_sqrtf(x); }
FASTADAM_INLINE double square_root(double x) { return __builtin_sqrt(x); }
FASTADAM_INLINE Real absolute(Real x) { return __builtin_fabsf(x); }
#endif

// Zero in place of a subnormal; NaN stays NaN. A moment whose gradient has stopped would otherwise decay into the
// subnormal range and stay there, and every later step would pay for it.
FASTADAM_INLINE Real flush_subnormal(Real x) {
  constexpr float min_normal = 1.17549435e-38F;
  return absolute(x) < Real(min_normal) ? Real(0) : x;
}

// The larger of two; a NaN on either side is returned, as numpy.maximum does; of two equals the first.
FASTADAM_INLINE Real maximum(Real a, Real b) { return a >= b || a != a ? a : b; }

}  // namespace
}  // namespace fastadam
