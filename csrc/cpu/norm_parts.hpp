// The norm of arrays that are spread over processes. Each makes a part, which is bytes, of the elements that it has; from the
// parts of all, in any order, comes the very norm of the whole.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "norm.hpp"

namespace fastadam {

// An array of the whole, and what of it is here: `array.size` elements from element `first` on, maybe none.
struct Shard {
  Array array;
  int64_t first, whole;
};

// Elements of all arrays of a whole: fewer than this.
constexpr int64_t most_elements = int64_t{1} << 55;

// The part of the norm that these shards are, of elements times `scale`. There is one for each array of the whole, in its
// order, and each element of the whole is in one process. By up to `threads` threads.
std::string norm_part(const std::vector<Shard>& shards, DType dtype, double scale, int threads);

// The norm, if `scale` is 0. Otherwise the squares of elements of float64 overflow or underflow: all parts are to be made anew,
// with this scale.
struct CombinedNorm {
  double norm, scale;
};

// Of parts that were made with this scale. Throws std::invalid_argument if an element is in no part or in two, or the parts do
// not belong together.
CombinedNorm combined_norm(const std::vector<std::string_view>& parts, double scale);

}  // namespace fastadam
