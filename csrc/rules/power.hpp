// Powers by IEEE operations in a fixed order, so that every platform and device gives the same bits, which the pow() and exp()
// of C libraries do not guarantee.
#pragma once

#include "scalar.hpp"

namespace fastadam {
namespace {

// base**exponent by repeated squaring.
FASTADAM_INLINE Scalar power(Scalar base, unsigned long long exponent) {
  Scalar result = Real64(1);
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result = result * base;
    base = base * base;
  }
  return result;
}

// e**x for x <= 0: the Taylor series near 0, and squares of it further away.
FASTADAM_INLINE Scalar exponential_of_negative(Scalar x) {
  int squarings = 0;
  for (; x < Real64(-0.0625); ++squarings) x = x * Real64(0.5);
  Scalar result = Real64(1);
  for (int n = exponential_terms; n > 0; --n) result = Real64(1) + result * x / Real64(n);
  for (; squarings > 0; --squarings) result = result * result;
  return result;
}

}  // namespace
}  // namespace fastadam
