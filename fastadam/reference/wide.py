"""Numbers twice as precise as float64, for what a step computes once in float64."""

from __future__ import annotations

import math


class Wide:
    """The unevaluated sum of two float64 numbers, with about 106 bits, of which `high` is the sum rounded.

    Sums and products of two float64 numbers have errors that are float64 numbers again, which a few more operations find
    (Dekker 1971; Knuth 1969, section 4.2.2). Where a number is so large that its error cannot be found (above 2**996), or so
    small that the error underflows, the precision is that of float64.
    """

    __array_ufunc__ = None  # numbers of NumPy leave the operators to this class
    __slots__ = ("high", "low")

    def __init__(self, high: float, low: float = 0.0) -> None:
        self.high, self.low = float(high), float(low)

    @classmethod
    def of_int(cls, n: int) -> Wide:
        """An integer in [0, 2**63), exactly."""
        return cls(float(n >> 32) * 2.0**32) + cls(float(n & 0xFFFFFFFF))

    def __float__(self) -> float:
        return self.high

    def __add__(self, other: float | Wide) -> Wide:
        b = _wide(other)
        high, low = _exact_sum(self.high, b.high)
        return _normalized(high, low + (self.low + b.low))

    def __sub__(self, other: float | Wide) -> Wide:
        b = _wide(other)
        return self + Wide(0.0 - b.high, 0.0 - b.low)

    def __mul__(self, other: float | Wide) -> Wide:
        b = _wide(other)
        high, low = _exact_product(self.high, b.high)
        return _normalized(high, low + (self.high * b.low + self.low * b.high))

    def __truediv__(self, other: float | Wide) -> Wide:
        b = _wide(other)
        quotient = _divided(self.high, b.high)
        rest = self - b * quotient
        return _normalized(quotient, _divided(rest.high, b.high))

    def __radd__(self, other: float) -> Wide:
        return _wide(other) + self

    def __rsub__(self, other: float) -> Wide:
        return _wide(other) - self

    def __rmul__(self, other: float) -> Wide:
        return _wide(other) * self

    def __rtruediv__(self, other: float) -> Wide:
        return _wide(other) / self

    def __lt__(self, other: float | Wide) -> bool:
        b = _wide(other)
        return self.high < b.high or (not b.high < self.high and self.low < b.low)

    def __gt__(self, other: float | Wide) -> bool:
        return _wide(other) < self

    def square_root(self) -> Wide:
        root = math.sqrt(self.high)
        rest = self - Wide(*_exact_product(root, root))
        return _normalized(root, _divided(rest.high, root + root))


def _wide(number: float | Wide) -> Wide:
    return number if isinstance(number, Wide) else Wide(number)


def _divided(a: float, b: float) -> float:
    """As IEEE 754 has it, where Python would raise."""
    if b == 0.0:
        return math.nan if a == 0.0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)
    return a / b


def _finite_or_zero(x: float) -> float:
    return x if math.isfinite(x) else 0.0


def _normalized(high: float, low: float) -> Wide:
    rest = _finite_or_zero(low)
    total = high + rest
    return Wide(total, _finite_or_zero(rest - (total - high)))


def _exact_sum(a: float, b: float) -> tuple[float, float]:
    """The sum and its error; the two together are exact."""
    total = a + b
    of_b = total - a
    return total, _finite_or_zero((a - (total - of_b)) + (b - of_b))


def _halves(x: float) -> tuple[float, float]:
    """A number as the sum of two with half as many bits, whose products are exact."""
    shifted = x * 134217729.0  # 2**27 + 1
    upper = shifted - (shifted - x)
    return upper, x - upper


def _exact_product(a: float, b: float) -> tuple[float, float]:
    """The product and its error; the two together are exact."""
    product = a * b
    (x, x_rest), (y, y_rest) = _halves(a), _halves(b)
    return product, _finite_or_zero(((x * y - product) + x * y_rest + x_rest * y) + x_rest * y_rest)
