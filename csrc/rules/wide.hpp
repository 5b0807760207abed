// Wide: the unevaluated sum of two float64 numbers, with about 106 bits, for what a step computes once in float64.
//
// Sums and products of two float64 numbers have errors that are float64 numbers again, which a few more operations find
// (Dekker, 1971; Knuth, 1969, section 4.2.2). Every operation here is IEEE 754's, so every platform gives the same bits. Where
// a number is so large that its error cannot be found (above 2^996), or so small that the error underflows, the precision is
// that of float64.
#pragma once

#include "real.hpp"

namespace fastadam {
namespace {

struct Wide {
  Real64 high, low;  // |low| is at most half an ulp of high

  Wide() = default;
  FASTADAM_INLINE Wide(Real64 value) : high(value), low(Real64(0)) {}
  FASTADAM_INLINE Wide(Real64 whole, Real64 rest) : high(whole), low(rest) {}
  FASTADAM_INLINE explicit operator Real64() const { return high; }
};

FASTADAM_INLINE Real64 finite_or_zero(Real64 x) { return x - x >= Real64(0) ? x : Real64(0); }

// high + low as a Wide; |low| is smaller than |high|.
FASTADAM_INLINE Wide normalized(Real64 high, Real64 low) {
  const Real64 rest = finite_or_zero(low), sum = high + rest;
  return {sum, finite_or_zero(rest - (sum - high))};
}

FASTADAM_INLINE Wide exact_sum(Real64 a, Real64 b) {
  const Real64 sum = a + b, of_b = sum - a;
  return {sum, finite_or_zero((a - (sum - of_b)) + (b - of_b))};
}

// A number as the sum of two with half as many bits, whose products are exact.
FASTADAM_INLINE Wide halves(Real64 x) {
  const Real64 shifted = x * Real64(134217729.0);  // 2^27 + 1
  const Real64 upper = shifted - (shifted - x);
  return {upper, x - upper};
}

FASTADAM_INLINE Wide exact_product(Real64 a, Real64 b) {
  const Real64 product = a * b;
  const Wide x = halves(a), y = halves(b);
  return {product, finite_or_zero(((x.high * y.high - product) + x.high * y.low + x.low * y.high) + x.low * y.low)};
}

FASTADAM_INLINE Wide operator+(Wide a, Wide b) {
  const Wide sum = exact_sum(a.high, b.high);
  return normalized(sum.high, sum.low + (a.low + b.low));
}

FASTADAM_INLINE Wide operator-(Wide a, Wide b) { return a + Wide{Real64(0) - b.high, Real64(0) - b.low}; }

FASTADAM_INLINE Wide operator*(Wide a, Wide b) {
  const Wide product = exact_product(a.high, b.high);
  return normalized(product.high, product.low + (a.high * b.low + a.low * b.high));
}

FASTADAM_INLINE Wide operator/(Wide a, Wide b) {
  const Real64 quotient = a.high / b.high;
  const Wide rest = a - b * quotient;
  return normalized(quotient, rest.high / b.high);
}

FASTADAM_INLINE Wide square_root(Wide x) {
  const Real64 root = square_root(x.high);
  const Wide rest = x - exact_product(root, root);
  return normalized(root, rest.high / (root + root));
}

FASTADAM_INLINE bool operator<(Wide a, Wide b) { return a.high < b.high || (!(b.high < a.high) && a.low < b.low); }

}  // namespace
}  // namespace fastadam
