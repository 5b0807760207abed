// The bytes of a struct of csrc/rules, which the host passes on without knowing it.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>

namespace fastadam {

struct Coefficients {
  alignas(16) unsigned char bytes[80];
  size_t size;

  template <class Struct>
  static Coefficients of(const Struct& source) {
    static_assert(sizeof(Struct) <= sizeof bytes && std::is_trivially_copyable_v<Struct>);
    Coefficients coefficients{};  // no uninitialized bytes: they may be copied to a device
    std::memcpy(coefficients.bytes, &source, sizeof source);
    coefficients.size = sizeof source;
    return coefficients;
  }
};

}  // namespace fastadam
