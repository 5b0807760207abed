// The number types of the update rules and the few functions they need beyond + - * / and comparison: Real for elements, which
// is float64 where FASTADAM_FLOAT64 is defined and else float32, and Real64, from which scalar.hpp makes the type of what is
// computed once per step.
//
// A rule is written once in these terms and compiled by every backend, for each type of elements. Each operator is one IEEE-754
// operation, rounded once to nearest. In C++ the types are plain `float` and `double`, given that the compiler is told not to
// contract (see CMakeLists.txt); on CUDA they wrap instructions with explicit rounding.
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

#if defined(FASTADAM_FLOAT64)
using Real = double;
#else
using Real = float;
#endif
using Real64 = double;

#if defined(_MSC_VER)
FASTADAM_INLINE float square_root(float x) { return sqrtf(x); }
FASTADAM_INLINE double square_root(double x) { return sqrt(x); }
FASTADAM_INLINE float absolute(float x) { return fabsf(x); }
FASTADAM_INLINE double absolute(double x) { return fabs(x); }
#else
FASTADAM_INLINE float square_root(float x) { return __builtin_sqrtf(x); }
FASTADAM_INLINE double square_root(double x) { return __builtin_sqrt(x); }
FASTADAM_INLINE float absolute(float x) { return __builtin_fabsf(x); }
FASTADAM_INLINE double absolute(double x) { return __builtin_fabs(x); }
#endif

}  // namespace
}  // namespace fastadam

#endif

namespace fastadam {
namespace {

// Zero in place of a subnormal; NaN stays NaN. A moment whose gradient has stopped would otherwise decay into the
// subnormal range and stay there, and every later step would pay for it.
FASTADAM_INLINE Real flush_subnormal(Real x) {
  constexpr double min_normal = sizeof(Real) == 4 ? 1.1754943508222875e-38 : 2.2250738585072014e-308;
  return absolute(x) < Real(static_cast<double>(min_normal)) ? Real(0) : x;
}

// The larger of two; NaN if either is NaN, as numpy.maximum; the first of two equals.
FASTADAM_INLINE Real maximum(Real a, Real b) {
  const Real larger = a >= b ? a : b;
  return a != a ? a : larger;
}

// 1, 0 or -1; zeros and NaN are returned as they are.
FASTADAM_INLINE Real sign(Real x) { return Real(0) < x ? Real(1) : x < Real(0) ? Real(-1) : x; }

// The factor of cautious weight decay (Chen et al., 2025): `decay`, or 1 where the update, which is subtracted, and the
// parameter have opposite signs. By the update's sign, since their product could underflow to zero.
FASTADAM_INLINE Real cautious(Real decay, Real p, Real update) { return sign(update) * p < Real(0) ? Real(1) : decay; }

}  // namespace
}  // namespace fastadam
