// The floating-point environment of the kernels: round to nearest, subnormals kept, no traps, whatever the calling thread uses.
// Another library may have set flush-to-zero (those built with -ffast-math used to). The caller's settings and sticky exception
// flags are restored afterwards.
#pragma once

#if defined(__SSE__) || defined(_M_X64)
#include <xmmintrin.h>
#else
#include <cfenv>
#endif

namespace fastadam {

class DefaultFloatEnv {
 public:
  DefaultFloatEnv(const DefaultFloatEnv&) = delete;
  DefaultFloatEnv& operator=(const DefaultFloatEnv&) = delete;

#if defined(__SSE__) || defined(_M_X64)
  // fesetenv would also work, but it reloads the x87 unit, which takes longer than the step of a small tensor.
  DefaultFloatEnv() : saved_(_mm_getcsr()) { _mm_setcsr(0x1F80); }
  ~DefaultFloatEnv() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#else
  DefaultFloatEnv() {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloatEnv() { std::fesetenv(&saved_); }

 private:
  std::fenv_t saved_;
#endif
};

}  // namespace fastadam
