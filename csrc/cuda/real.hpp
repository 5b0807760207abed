// Real and Real64 on CUDA: each operator is one PTX instruction with explicit rounding. For elements of float64 both are one.
//
// The result of a plain float expression would depend on the compiler's flags, and CuPy appends -ftz=true to those of the
// caller. An instruction written as mul.rn.f32 keeps subnormals and is never contracted, whatever the flags. Sign and magnitude
// need this too: NVRTC 12.9 turns even operations on the bits into instructions that flush.
#pragma once

#define FASTADAM_INLINE __device__ __forceinline__

namespace fastadam {
namespace {

#if defined(FASTADAM_FLOAT64)

struct Real64 {
  double value;

  Real64() = default;
  FASTADAM_INLINE explicit constexpr Real64(double x) : value(x) {}
  FASTADAM_INLINE explicit operator double() const { return value; }
};

using Real = Real64;

#else

struct Real64;

struct Real {
  float value;

  Real() = default;
  FASTADAM_INLINE explicit constexpr Real(float x) : value(x) {}
  FASTADAM_INLINE explicit Real(Real64 x);
  FASTADAM_INLINE explicit operator float() const { return value; }
};

struct Real64 {
  double value;

  Real64() = default;
  FASTADAM_INLINE explicit constexpr Real64(double x) : value(x) {}
  FASTADAM_INLINE explicit operator double() const { return value; }
  FASTADAM_INLINE explicit Real64(Real x) { asm("cvt.f64.f32 %0, %1;" : "=d"(value) : "f"(x.value)); }
};

FASTADAM_INLINE Real::Real(Real64 x) { asm("cvt.rn.f32.f64 %0, %1;" : "=f"(value) : "d"(x.value)); }

#endif

#define FASTADAM_BINARY(Type, letter, symbol, instruction)                                         \
  FASTADAM_INLINE Type operator symbol(Type a, Type b) {                                           \
    Type result;                                                                                   \
    asm(instruction " %0, %1, %2;" : "=" letter(result.value) : letter(a.value), letter(b.value)); \
    return result;                                                                                 \
  }
#if !defined(FASTADAM_FLOAT64)
FASTADAM_BINARY(Real, "f", +, "add.rn.f32")
FASTADAM_BINARY(Real, "f", -, "sub.rn.f32")
FASTADAM_BINARY(Real, "f", *, "mul.rn.f32")
FASTADAM_BINARY(Real, "f", /, "div.rn.f32")
#endif
FASTADAM_BINARY(Real64, "d", +, "add.rn.f64")
FASTADAM_BINARY(Real64, "d", -, "sub.rn.f64")
FASTADAM_BINARY(Real64, "d", *, "mul.rn.f64")
FASTADAM_BINARY(Real64, "d", /, "div.rn.f64")
#undef FASTADAM_BINARY

#define FASTADAM_COMPARISON(Type, letter, symbol, condition)                                \
  FASTADAM_INLINE bool operator symbol(Type a, Type b) {                                    \
    int result;                                                                             \
    asm("{ .reg .pred holds; setp." condition " holds, %1, %2; selp.s32 %0, 1, 0, holds; }" \
        : "=r"(result)                                                                      \
        : letter(a.value), letter(b.value));                                                \
    return result;                                                                          \
  }
#if !defined(FASTADAM_FLOAT64)
FASTADAM_COMPARISON(Real, "f", <, "lt.f32")
FASTADAM_COMPARISON(Real, "f", >=, "ge.f32")
FASTADAM_COMPARISON(Real, "f", !=, "neu.f32")  // true if either is NaN, as in C++
#endif
FASTADAM_COMPARISON(Real64, "d", <, "lt.f64")
FASTADAM_COMPARISON(Real64, "d", >=, "ge.f64")
FASTADAM_COMPARISON(Real64, "d", !=, "neu.f64")
#undef FASTADAM_COMPARISON

#define FASTADAM_UNARY(Type, letter, function, instruction)                   \
  FASTADAM_INLINE Type function(Type x) {                                     \
    Type result;                                                              \
    asm(instruction " %0, %1;" : "=" letter(result.value) : letter(x.value)); \
    return result;                                                            \
  }
#if !defined(FASTADAM_FLOAT64)
FASTADAM_UNARY(Real, "f", operator-, "neg.f32")
FASTADAM_UNARY(Real, "f", absolute, "abs.f32")
FASTADAM_UNARY(Real, "f", square_root, "sqrt.rn.f32")
#endif
FASTADAM_UNARY(Real64, "d", operator-, "neg.f64")
FASTADAM_UNARY(Real64, "d", absolute, "abs.f64")
FASTADAM_UNARY(Real64, "d", square_root, "sqrt.rn.f64")
#undef FASTADAM_UNARY

}  // namespace
}  // namespace fastadam
