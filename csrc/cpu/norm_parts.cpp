#include "norm_parts.hpp"

#include <algorithm>
#include <stdexcept>

#include "float_env.hpp"
#include "norm_message.hpp"
#include "sum_tree.hpp"

namespace fastadam {
namespace {

// FNV-1a of the sizes of arrays that are not empty.
uint64_t hash_of(const std::vector<Shard>& shards) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const Shard& shard : shards) {
    for (int bit = 0; shard.whole > 0 && bit < 64; bit += 8) {
      hash = (hash ^ (static_cast<uint64_t>(shard.whole) >> bit & 255)) * 0x100000001b3;
    }
  }
  return hash;
}

// The elements of a shard between which chunks are complete, counted in the whole array.
struct Middle {
  int64_t begin, end;

  explicit Middle(const Shard& shard) : end(shard.first + shard.array.size) {
    begin = std::min(chunks(shard.first) * norm_chunk, end);
    if (end < shard.whole) end = std::max(begin, end / norm_chunk * norm_chunk);
  }
};

// The part of one process, as it is made.
class Part {
 public:
  Part(int64_t chunk_count, DType dtype, double scale) : tree_(chunk_count), dtype_(dtype), scale_(scale) {}

  // Elements [begin, end) of the whole array, all of one chunk; the array's first chunk is `first_chunk` of all.
  void add_elements(const Shard& shard, int64_t begin, int64_t end, int64_t first_chunk) {
    if (begin == end) return;
    terms_.clear();
    for (int64_t i = begin; i < end; ++i) {
      const double x = element(shard.array, i - shard.first, dtype_) * scale_;
      terms_.push_back(x * x);
    }
    const int64_t chunk = begin / norm_chunk, start = chunk * norm_chunk;
    const auto within = [start](int64_t i) { return static_cast<int32_t>(i - start); };
    const int32_t size = within(std::min(start + norm_chunk, shard.whole));
    tree_.add_terms({first_chunk + chunk, 0, within(begin), within(end), size}, terms_.data());
    note(terms_.data(), end - begin);
  }

  // The sums of complete chunks, from this one of all on.
  void add_sums(int64_t chunk, const double* sums, int64_t count) {
    tree_.add_sums(0, chunk, sums, count);
    note(sums, count);
  }

  // Whether the norm of the whole may need the largest of these elements. There are fewer than 2^55 elements. So if the sum of
  // all squares overflows, the largest square is above 2^960; and if it underflows, each square is below 2^-900.
  bool may_have_largest() const { return dtype_ == DType::float64 && scale_ == 1 && !(most_ >= 0x1p-900 && most_ < 0x1p900); }

  std::string bytes(uint64_t layout, double largest) const {
    PartHeader header{message_format, layout, tree_.chunk_count(0), scale_, largest, 0};
    for (const auto& runs : tree_.runs()) header.runs += static_cast<int64_t>(runs.size());
    std::string bytes;
    write(bytes, &header, 1);
    for (const auto& runs : tree_.runs()) {
      for (const SumTree::Run& run : runs) {
        write(bytes, &run.at, 1);
        write(bytes, run.numbers.data(), run.numbers.size());
      }
    }
    return bytes;
  }

 private:
  void note(const double* sums, int64_t count) {
    for (int64_t i = 0; i < count; ++i) most_ = std::max(most_, sums[i]);
  }

  SumTree tree_;
  const DType dtype_;
  const double scale_;
  double most_ = 0;  // the largest square, or sum of a chunk
  std::vector<double> terms_;
};

}  // namespace

std::string norm_part(const std::vector<Shard>& shards, DType dtype, double scale, int threads) {
  const DefaultFloatEnv float_env;
  std::vector<Array> middles, present;
  int64_t chunk_count = 0;
  for (const Shard& shard : shards) {
    const Middle middle(shard);
    const Format format = shard.array.format;
    const int64_t before = (middle.begin - shard.first) * width_of(format, size_of(dtype));
    middles.push_back({static_cast<const char*>(shard.array.begin) + before, middle.end - middle.begin, format});
    present.push_back(shard.array);
    chunk_count += chunks(shard.whole);
  }
  const std::vector<double> sums = sums_of_chunks(middles, dtype, scale, threads);
  Part part(chunk_count, dtype, scale);
  const double* sum = sums.data();
  int64_t first_chunk = 0;
  for (const Shard& shard : shards) {
    const Middle middle(shard);
    const int64_t count = chunks(middle.end - middle.begin);
    part.add_elements(shard, shard.first, middle.begin, first_chunk);
    part.add_sums(first_chunk + middle.begin / norm_chunk, sum, count);
    part.add_elements(shard, middle.end, shard.first + shard.array.size, first_chunk);
    sum += count;
    first_chunk += chunks(shard.whole);
  }
  return part.bytes(hash_of(shards), part.may_have_largest() ? largest_of(present, dtype) : 0);
}

}  // namespace fastadam
