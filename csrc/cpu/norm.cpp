#include "norm.hpp"

#include <algorithm>

#include "../rules/norm.hpp"
#include "float_env.hpp"
#include "isa.hpp"
#include "parallel.hpp"

namespace fastadam {
namespace {

int64_t chunks(int64_t size) { return (size + norm_chunk - 1) / norm_chunk; }

// The sums of all chunks of all arrays. The thread in whose share a chunk starts computes its sum.
class ChunkSums final : public Work {
 public:
  ChunkSums(const Kernels& kernels, const std::vector<Array>& arrays, double* sums) : kernels_(kernels), arrays_(arrays) {
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
      sums_[item][chunk] = kernels_.sum_of_squares(array.begin + first, std::min<int64_t>(array.size - first, norm_chunk));
    }
  }

  const Kernels& kernels_;
  const std::vector<Array>& arrays_;
  std::vector<double*> sums_;  // the first sum of each array
};

}  // namespace

double sum_of_squares(const Kernels& kernels, const std::vector<Array>& arrays, int threads) {
  int64_t count = 0;
  for (const Array& array : arrays) count += chunks(array.size);
  if (count == 0) return 0;
  std::vector<double> sums(static_cast<size_t>(count));
  run_on_threads(ChunkSums(kernels, arrays, sums.data()), threads);
  for (; count > 1; count = chunks(count)) {
    for (int64_t chunk = 0; chunk < chunks(count); ++chunk) {
      const int64_t first = chunk * norm_chunk;
      sums[chunk] = kernels.sum(sums.data() + first, std::min<int64_t>(count - first, norm_chunk));
    }
  }
  return sums[0];
}

double global_norm(const std::vector<Array>& arrays, int threads) {
  const DefaultFloatEnv float_env;
  return square_root(sum_of_squares(active_kernels(), arrays, threads));
}

}  // namespace fastadam
