// Scalar: the type of what a step computes once for all elements, twice as precise as an element, to which it is rounded once.
#pragma once

#include "real.hpp"

#if defined(FASTADAM_FLOAT64)
#include "wide.hpp"
#endif

namespace fastadam {
namespace {

#if defined(FASTADAM_FLOAT64)

using Scalar = Wide;
constexpr int exponential_terms = 20;  // of the Taylor series in [-1/16, 0] (power.hpp)

// A constant, whose digits beyond float64 are those of `rest`.
FASTADAM_INLINE Scalar constant(double value, double rest) { return {Real64(value), Real64(rest)}; }

// An integer >= 0, exactly.
FASTADAM_INLINE Scalar whole(long long n) {
  const auto upper = static_cast<double>(n >> 32), lower = static_cast<double>(n & 0xFFFFFFFF);
  return Scalar(Real64(upper) * Real64(4294967296.0)) + Scalar(Real64(lower));
}

#else

using Scalar = Real64;
constexpr int exponential_terms = 12;

FASTADAM_INLINE Scalar constant(double value, double) { return Scalar(value); }

FASTADAM_INLINE Scalar whole(long long n) { return Scalar(static_cast<double>(n)); }

#endif

}  // namespace
}  // namespace fastadam
