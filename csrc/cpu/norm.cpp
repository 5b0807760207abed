#include "norm.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "../rules/formats.hpp"
#include "../rules/norm.hpp"
#include "float_env.hpp"
#include "isa.hpp"
#include "parallel.hpp"

namespace fastadam {

int64_t chunks(int64_t size) { return (size + norm_chunk - 1) / norm_chunk; }

namespace {

// Computes the sum of squares of a chunk of elements of an array, from one on.
using SumOfChunk = std::function<double(const Array& array, int64_t first, int64_t size)>;

// The sums of all chunks of all arrays. The thread in whose share a chunk starts computes its sum.
class ChunkSums final : public Work {
 public:
  ChunkSums(const SumOfChunk& sum, const std::vector<Array>& arrays, double* sums) : sum_(sum), arrays_(arrays) {
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
      sums_[item][chunk] = sum_(array, first, std::min<int64_t>(array.size - first, norm_chunk));
    }
  }

  const SumOfChunk& sum_;
  const std::vector<Array>& arrays_;
  std::vector<double*> sums_;  // the first sum of each array
};

// Adds up the sums of chunks in chunks until one is left.
double sum_of(std::vector<double> sums, const Kernels& kernels) {
  auto count = static_cast<int64_t>(sums.size());
  if (count == 0) return 0;
  for (; count > 1; count = chunks(count)) {
    for (int64_t chunk = 0; chunk < chunks(count); ++chunk) {
      const int64_t first = chunk * norm_chunk;
      sums[chunk] = kernels.sum(sums.data() + first, std::min<int64_t>(count - first, norm_chunk));
    }
  }
  return sums[0];
}

}  // namespace

std::vector<double> sums_of_chunks(const std::vector<Array>& arrays, DType dtype, double scale, int threads) {
  int64_t count = 0;
  for (const Array& array : arrays) count += chunks(array.size);
  std::vector<double> sums(static_cast<size_t>(count));
  const Kernels& kernels = active_kernels(dtype);
  SumOfChunk sum = [&kernels, dtype](const Array& array, int64_t first, int64_t size) {
    if (array.format == Format::real) {
      return kernels.sum_of_squares(static_cast<const char*>(array.begin) + first * size_of(dtype), size);
    }
    float numbers[norm_chunk];
    kernels.decode({const_cast<void*>(array.begin), nullptr, array.format}, first, size, numbers);
    return kernels.sum_of_squares(numbers, size);
  };
  if (scale != 1) {
    const auto sum_of_float64 = active_kernels(DType::float64).sum_of_squares;
    sum = [=](const Array& array, int64_t first, int64_t size) {
      double scaled[norm_chunk];
      for (int64_t i = 0; i < size; ++i) scaled[i] = element(array, first + i, dtype) * scale;
      return sum_of_float64(scaled, size);
    };
  }
  run_on_threads(ChunkSums(sum, arrays, sums.data()), threads);
  return sums;
}

bool is_in_range(double sum) {
  constexpr double least = 0x1p-900;
  return (sum >= least && std::isfinite(sum)) || std::isnan(sum);
}

double decoded_element(const Array& array, int64_t i) {
  const Half half = static_cast<const Half*>(array.begin)[i];
  return array.format == Format::float16 ? from_float16(half) : from_bfloat16(half);
}

double largest_of(const std::vector<Array>& arrays, DType dtype) {
  double largest = 0;
  for (const Array& array : arrays) {
    for (int64_t i = 0; i < array.size; ++i) largest = std::max(largest, std::abs(element(array, i, dtype)));
  }
  return largest;
}

double scale_for(double largest) {
  if (largest == 0 || std::isinf(largest)) return 1;
  return std::ldexp(1.0, std::min(-std::ilogb(largest) - 1, 1022));
}

double global_norm(const std::vector<Array>& arrays, DType dtype, int threads) {
  const DefaultFloatEnv float_env;
  const Kernels& kernels = active_kernels(dtype);
  const double sum = sum_of(sums_of_chunks(arrays, dtype, 1, threads), kernels);
  const double scale = dtype == DType::float32 || is_in_range(sum) ? 1 : scale_for(largest_of(arrays, dtype));
  return scale == 1 ? square_root(sum) : square_root(sum_of(sums_of_chunks(arrays, dtype, scale, threads), kernels)) / scale;
}

}  // namespace fastadam
