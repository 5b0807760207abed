// How an optimizer stores the states of a group, and what it keeps beside parameters of 16 bits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace fastadam {

enum class StateFormat { float32, bfloat16, log8 };  // float32: of the parameters' type

enum class Master {
  split,    // of a bfloat16 parameter 16 bits, which are a float32 together
  float32,  // a copy
  none,     // the parameter is rounded by dither
};

struct Storage {
  StateFormat states = StateFormat::float32;
  Master master = Master::split;
  uint32_t seed = 0;  // of the dither
  bool operator==(const Storage&) const = default;
};

// By the names that users know. Throws std::invalid_argument.
Storage storage_of(const std::string& state_dtype, const std::optional<std::string>& master, uint32_t seed);

}  // namespace fastadam
