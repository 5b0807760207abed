// The scalar types of the update rules and the few functions they need beyond + - * / and comparison: Real for elements,
// Real64 for what is computed once per step.
//
// A rule is written once in these terms and compiled by every backend. Each operator is one IEEE-754 operation, rounded once
// to nearest. In C++ the types are plain `float` and `double`, given that the compiler is told not to contract (see
// CMakeLists.txt); on CUDA they wrap instructions with explicit rounding.
//
// Everything here and in the rule headers lives in an unnamed namespace on purpose. Each instruction set has its own
// copy, and with external linkage the linker might keep, say, the AVX-512 copy for all of them.
#pragma once

#if defined(__CUDACC__)
#include "../cuda/real.hpp"
#else

#if defined(_MSC_VER)
#include <math.h>
#define FASTADAM_INLINE __forceinline
#else
#define FASTADAM_INLINE inline __attribute__((always_inline))
#endif

namespace fastadam {
namespace {

using Real = float;
using Real64 = double;

#if defined(_MSC_VER)
FASTADAM_INLINE Real square_root(Real x) { return sqrtf(x); }
FASTADAM_INLINE Real64 square_root(Real64 x) { return sqrt(x); }
FASTADAM_INLINE Real absolute(Real x) { return fabsf(x); }
FASTADAM_INLINE Real64 absolute(Real64 x) { return fabs(x); }
#else
FASTADAM_INLINE Real square_root(Real x) { return __builtin_sqrtf(x); }
FASTADAM_INLINE Real64 square_root(Real64 x) { return __builtin_sqrt(x); }
FASTADAM_INLINE Real absolute(Real x) { return __builtin_fabsf(x); }
FASTADAM_INLINE Real64 absolute(Real64 x) { return __builtin_fabs(x); }
#endif

}  // namespace
}  // namespace fastadam

#endif

namespace fastadam {
namespace {

// Zero in place of a subnormal; NaN stays NaN. A moment whose gradient has stopped would otherwise decay into the
// subnormal range and stay there, and every later step would pay for it.
FASTADAM_INLINE Real flush_subnormal(Real x) {
  constexpr float min_normal = 1.17549435e-38F;
  return absolute(x) < Real(min_normal) ? Real(0) : x;
}

// The larger of two; NaN if either is NaN, as numpy.maximum; the first of two equals.
FASTADAM_INLINE Real maximum(Real a, Real b) {
  const Real larger = a >= b ? a : b;
  return a != a ? a : larger;
}

// 1, 0 or -1; zeros and NaN are returned as they are.
FASTADAM_INLINE Real sign(Real x) { return Real(0) < x ? Real(1) : x < Real(0) ? Real(-1) : x; }

}  // namespace
}  // namespace fastadam
