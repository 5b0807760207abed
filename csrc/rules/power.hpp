// base**exponent in float64 by repeated squaring. Only IEEE multiplications in a fixed order, so that every platform and
// device gives the same bits, which the pow() of different C libraries do not promise.
#pragma once

#include "real.hpp"

namespace fastadam {
namespace {

FASTADAM_INLINE Real64 power(Real64 base, long long exponent) {
  Real64 result = Real64(1);
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result = result * base;
    base = base * base;
  }
  return result;
}

}  // namespace
}  // namespace fastadam
