// The tree of sums of the norm (rules/norm.hpp), of which any stretches may be present. Terms of level 0 are the squares of
// elements, those of level k + 1 the sums of the chunks of level k.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "../rules/norm.hpp"

namespace fastadam {

constexpr int most_levels = 5;  // of fewer than 2^55 elements

// Where a stretch of terms is: [begin, end) of a chunk of `size` terms on some level.
struct Stretch {
  int64_t chunk;
  int32_t level, begin, end, size;

  // Whether the terms are from the first of the chunk on, and so are kept as the sums of lanes.
  bool is_in_lanes() const { return begin == 0; }
  bool is_complete() const { return begin == 0 && end == size; }
  int64_t number_count() const { return is_in_lanes() ? norm_lanes : end - begin; }
};

// A tree whose level 0 has a given number of chunks, those of all arrays in a row.
class SumTree {
 public:
  struct Run {
    Stretch at;
    std::vector<double> numbers;  // the sums of lanes, or the terms
  };

  explicit SumTree(int64_t chunk_count);

  // The number of chunks on a level, and of terms in one of them. On level 0 the last chunk of an array may have fewer.
  int64_t chunk_count(int level) const { return chunk_counts_[level]; }
  int size_of(int level, int64_t chunk) const;

  // The level that has one chunk, whose sum is that of all.
  int top() const { return top_; }

  // Adds what belongs at `at`, after all that comes before it on its level. A chunk that is complete goes up.
  void add_terms(const Stretch& at, const double* terms);
  void add_numbers(const Stretch& at, const double* numbers);

  // Adds the sums of chunks of a level, from this one on.
  void add_sums(int level, int64_t chunk, const double* sums, int64_t count);

  // What has not gone up, from level 0 on.
  const std::array<std::vector<Run>, most_levels>& runs() const { return runs_; }

 private:
  void go_up(int level);

  std::array<int64_t, most_levels> chunk_counts_{};
  std::array<std::vector<Run>, most_levels> runs_;
  int top_ = 0;
};

}  // namespace fastadam
