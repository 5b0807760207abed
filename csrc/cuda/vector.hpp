// Loads and stores of 16 bytes, each one memory instruction if the address is aligned to 16 bytes.
#pragma once

#include "arguments.hpp"

namespace fastadam {
namespace {

constexpr int width = 16 / sizeof(Element);
struct alignas(16) Vector {
  Element element[width];
};

// How many elements `p` is after a 16-byte boundary.
FASTADAM_INLINE int misalignment(const Element* p) {
  return static_cast<int>(reinterpret_cast<unsigned long long>(p) / sizeof(Element) % width);
}

template <bool aligned>
FASTADAM_INLINE Vector load(const Element* p) {
  Vector vector;
  if (aligned || misalignment(p) == 0) {
    vector = *reinterpret_cast<const Vector*>(p);
  } else {
    for (int j = 0; j < width; ++j) vector.element[j] = p[j];
  }
  return vector;
}

FASTADAM_INLINE void store_aligned(Element* p, const Vector& vector) {
#if !defined(__CUDACC__)
  *reinterpret_cast<Vector*>(p) = vector;
#elif defined(FASTADAM_FLOAT64)  // NVRTC splits some assignments into smaller stores
  asm volatile("st.global.v2.f64 [%0], {%1, %2};"
               :
               : "l"(__cvta_generic_to_global(p)), "d"(vector.element[0]), "d"(vector.element[1])
               : "memory");
#else
  asm volatile("st.global.v4.f32 [%0], {%1, %2, %3, %4};"
               :
               : "l"(__cvta_generic_to_global(p)), "f"(vector.element[0]), "f"(vector.element[1]), "f"(vector.element[2]),
                 "f"(vector.element[3])
               : "memory");
#endif
}

template <bool aligned>
FASTADAM_INLINE void store(Element* p, const Vector& vector) {
  if (aligned || misalignment(p) == 0) {
    store_aligned(p, vector);
  } else {
    for (int j = 0; j < width; ++j) p[j] = vector.element[j];
  }
}

}  // namespace
}  // namespace fastadam
