// The kernel's floating-point environment: round to nearest, subnormals kept, no traps, whatever the calling thread has.
// Another library may have set flush-to-zero (every one built with -ffast-math used to); the caller's settings and its
// sticky exception flags are put back afterwards.
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
  // fesetenv would do, but also reloads the x87 unit, which costs more than a small tensor's step.
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
