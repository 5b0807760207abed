#include "norm.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "../rules/norm.hpp"
#include "float_env.hpp"
#include "isa.hpp"
#include "parallel.hpp"

namespace fastadam {
namespace {

int64_t chunks(int64_t size) { return (size + norm_chunk - 1) / norm_chunk; }

// Computes the sum of squares of a chunk of elements.
using SumOfChunk = std::function<double(const void* chunk, int64_t size)>;

// The sums of all chunks of all arrays. The thread in whose share a chunk starts computes its sum.
class ChunkSums final : public Work {
 public:
  ChunkSums(const SumOfChunk& sum, const std::vector<Array>& arrays, int64_t width, double* sums)
      : sum_(sum), arrays_(arrays), width_(width) {
    reserve(arrays.size());
    sums_.reserve(arrays.size());
    for (const Array& array : arrays) {
      add(array.size);
      sums_.push_back(sums);
      sums += chunks(array.size);
    }
  }

 private:
  void run_item(size_t item, int64_t begin, int64_t end) const override {
    const Array& array = arrays_[item];
    for (int64_t chunk = chunks(begin); chunk < chunks(end); ++chunk) {
      const int64_t first = chunk * norm_chunk;
      const void* const start = static_cast<const char*>(array.begin) + first * width_;
      sums_[item][chunk] = sum_(start, std::min<int64_t>(array.size - first, norm_chunk));
    }
  }

  const SumOfChunk& sum_;
  const std::vector<Array>& arrays_;
  const int64_t width_;        // bytes of an element
  std::vector<double*> sums_;  // the first sum of each array
};

double sum_of_squares(const Kernels& kernels, const SumOfChunk& sum, const std::vector<Array>& arrays, DType dtype,
                      int threads) {
  int64_t count = 0;
  for (const Array& array : arrays) count += chunks(array.size);
  if (count == 0) return 0;
  std::vector<double> sums(static_cast<size_t>(count));
  run_on_threads(ChunkSums(sum, arrays, size_of(dtype), sums.data()), threads);
  for (; count > 1; count = chunks(count)) {
    for (int64_t chunk = 0; chunk < chunks(count); ++chunk) {
      const int64_t first = chunk * norm_chunk;
      sums[chunk] = kernels.sum(sums.data() + first, std::min<int64_t>(count - first, norm_chunk));
    }
  }
  return sums[0];
}

// The largest magnitude of all elements; infinite if one is, whatever the others; they are float64.
double largest_of(const std::vector<Array>& arrays) {
  double largest = 0;
  for (const Array& array : arrays) {
    const double* const x = static_cast<const double*>(array.begin);
    for (int64_t i = 0; i < array.size; ++i) largest = std::max(largest, std::abs(x[i]));
  }
  return largest;
}

}  // namespace

double global_norm(const std::vector<Array>& arrays, DType dtype, int threads) {
  const DefaultFloatEnv float_env;
  const Kernels& kernels = active_kernels(dtype);
  const double sum = sum_of_squares(kernels, kernels.sum_of_squares, arrays, dtype, threads);
  // Squares of float32 neither overflow nor underflow in float64. Of float64 they may: then all elements are scaled by a power
  // of two, which is exact, so that the largest is in [1/2, 1).
  constexpr double least = 0x1p-900;
  if (dtype == DType::float32 || (sum >= least && std::isfinite(sum)) || std::isnan(sum)) return square_root(sum);
  const double largest = largest_of(arrays);
  if (largest == 0 || std::isinf(largest)) return largest;
  const double scale = std::ldexp(1.0, std::min(-std::ilogb(largest) - 1, 1022));
  const auto scaled = [&](const void* chunk, int64_t size) {
    double copy[norm_chunk];
    for (int64_t i = 0; i < size; ++i) copy[i] = static_cast<const double*>(chunk)[i] * scale;
    return kernels.sum_of_squares(copy, size);
  };
  return square_root(sum_of_squares(kernels, scaled, arrays, dtype, threads)) / scale;
}

}  // namespace fastadam
