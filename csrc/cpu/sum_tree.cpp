#include "sum_tree.hpp"

#include <algorithm>
#include <stdexcept>

#include "norm.hpp"

namespace fastadam {

SumTree::SumTree(int64_t chunk_count) {
  chunk_counts_[0] = chunk_count;
  do {
    if (++top_ == most_levels) throw std::invalid_argument("the arrays have 2**55 elements or more; expected fewer");
    chunk_counts_[top_] = chunks(chunk_counts_[top_ - 1]);
  } while (chunk_counts_[top_] > 1);
}

int SumTree::size_of(int level, int64_t chunk) const {
  if (level == 0) return norm_chunk;
  return static_cast<int>(std::min<int64_t>(norm_chunk, chunk_counts_[level - 1] - chunk * norm_chunk));
}

void SumTree::add_terms(const Stretch& at, const double* terms) {
  std::vector<Run>& runs = runs_[at.level];
  if (runs.empty() || runs.back().at.chunk != at.chunk || runs.back().at.end != at.begin) {
    runs.push_back({at, std::vector<double>(at.is_in_lanes() ? norm_lanes : 0)});
  }
  Run& run = runs.back();
  if (run.at.is_in_lanes()) {
    for (int i = at.begin; i < at.end; ++i) run.numbers[i % norm_lanes] += *terms++;
  } else {
    run.numbers.insert(run.numbers.end(), terms, terms + (at.end - at.begin));
  }
  run.at.end = at.end;
  go_up(at.level);
}

void SumTree::add_numbers(const Stretch& at, const double* numbers) {
  if (!at.is_in_lanes()) return add_terms(at, numbers);
  runs_[at.level].push_back({at, {numbers, numbers + norm_lanes}});
  go_up(at.level);
}

void SumTree::add_sums(int level, int64_t chunk, const double* sums, int64_t count) {
  for (const int64_t last = chunk + count; chunk < last;) {
    const int64_t above = chunk / norm_chunk;
    const int32_t begin = static_cast<int32_t>(chunk % norm_chunk), size = size_of(level + 1, above);
    const auto end = static_cast<int32_t>(std::min<int64_t>(size, begin + last - chunk));
    add_terms({above, level + 1, begin, end, size}, sums);
    sums += end - begin;
    chunk += end - begin;
  }
}

// Adds the sum of the last run of a level to the next one, if that is a complete chunk.
void SumTree::go_up(int level) {
  Run& run = runs_[level].back();
  if (level == top_ || !run.at.is_complete()) return;
  const double sum = sum_lanes(run.numbers.data());
  const int64_t chunk = run.at.chunk;
  runs_[level].pop_back();
  add_sums(level, chunk, &sum, 1);
}

}  // namespace fastadam
