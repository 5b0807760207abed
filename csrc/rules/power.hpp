// Powers in float64 by IEEE operations in a fixed order, so that every platform and device gives the same bits, which the
// pow() and exp() of C libraries do not guarantee.
#pragma once

#include "real.hpp"

namespace fastadam {
namespace {

// base**exponent by repeated squaring.
FASTADAM_INLINE Real64 power(Real64 base, unsigned long long exponent) {
  Real64 result = Real64(1);
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result = result * base;
    base = base * base;
  }
  return result;
}

// e**x for x <= 0: the Taylor series near 0, and squares of it further away.
FASTADAM_INLINE Real64 exponential_of_negative(Real64 x) {
  int squarings = 0;
  for (; x < Real64(-0.0625); ++squarings) x = x * Real64(0.5);
  Real64 result = Real64(1);
  for (int n = 12; n > 0; --n) result = Real64(1) + result * x / Real64(n);
  for (; squarings > 0; --squarings) result = result * result;
  return result;
}

}  // namespace
}  // namespace fastadam
