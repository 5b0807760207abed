#include "x86_level.hpp"

#if defined(__x86_64__) || defined(_M_X64)

#include <cstdint>
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif

namespace fastadam {
namespace {

struct Registers {
  uint32_t eax, ebx, ecx, edx;
};

Registers cpuid(uint32_t leaf) {
#if defined(_MSC_VER)
  int r[4];
  __cpuidex(r, static_cast<int>(leaf), 0);
  return {uint32_t(r[0]), uint32_t(r[1]), uint32_t(r[2]), uint32_t(r[3])};
#else
  Registers r{};
  __get_cpuid_count(leaf, 0, &r.eax, &r.ebx, &r.ecx, &r.edx);  // leaves zeros if the CPU has no such leaf
  return r;
#endif
}

// XCR0: which register files the operating system saves. It can be read only if CPUID reports OSXSAVE.
uint64_t saved_registers() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
#endif
}

template <class... Bits>
constexpr uint32_t mask(Bits... bits) {
  return ((1U << bits) | ...);
}

bool has(uint64_t found, uint64_t wanted) { return (found & wanted) == wanted; }

int detect() {
  const Registers basic = cpuid(1), structured = cpuid(7), extended = cpuid(0x80000001);
  // SSE3, SSSE3, FMA, CX16, SSE4.1, SSE4.2, MOVBE, POPCNT, OSXSAVE, AVX, F16C
  if (!has(basic.ecx, mask(0, 9, 12, 13, 19, 20, 22, 23, 27, 28, 29))) return 1;
  if (!has(structured.ebx, mask(3, 5, 8))) return 1;             // BMI1, AVX2, BMI2
  if (!has(extended.ecx, mask(0, 5))) return 1;                  // LAHF, LZCNT
  if (!has(saved_registers(), mask(1, 2))) return 1;             // XMM, YMM
  if (!has(structured.ebx, mask(16, 17, 28, 30, 31))) return 3;  // AVX-512 F, DQ, CD, BW, VL
  if (!has(saved_registers(), mask(5, 6, 7))) return 3;          // mask registers, ZMM
  return 4;
}

}  // namespace

int x86_level() {
  static const int level = detect();
  return level;
}

bool is_intel() {
  const Registers vendor = cpuid(0);
  return vendor.ebx == 0x756e6547 && vendor.edx == 0x49656e69 && vendor.ecx == 0x6c65746e;  // "Genu", "ineI", "ntel"
}

}  // namespace fastadam

#else

namespace fastadam {
int x86_level() { return 0; }
bool is_intel() { return false; }
}  // namespace fastadam

#endif
