// base**exponent in float64 by repeated squaring. Only IEEE multiplications in a fixed order, so that every platform and
// device gives the same bits, which the pow() of different C libraries do not promise.
#pragma once

#include "real.hpp"

namespace fastadam {
namespace {

inline double power(double base, long long exponent) {
  double result = 1.0;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result *= base;
    base *= base;
  }
  return result;
}

}  // namespace
}  // namespace fastadam
