// The memory of the arrays that a list of tensors updates, no two of which may overlap. It may be on a device, and is not
// accessed here.
#pragma once

#include <cstdint>
#include <vector>

#include "refusal.hpp"

namespace fastadam {

class OwnedMemory {
 public:
  // Adds the memory of a parameter or state, of so many bytes.
  void add(const void* begin, int64_t bytes, Place place);

  // Call this once, after the last add(). Throws Refusal("overlap") if two arrays share memory.
  void seal();

  // Throws Refusal("overlap") if the array at `place`, a gradient, shares memory with an added array.
  void expect_apart(const void* begin, int64_t bytes, Place place) const;

 private:
  struct Interval {
    const char *begin, *end;
    Place place;
  };

  std::vector<Interval> intervals_;  // sorted by address once sealed
};

}  // namespace fastadam
