// The CUDA kernel of the global norm. csrc/rules/norm.hpp defines the order in which squares are added.
//
// Each warp processes one chunk at a time, each of its threads one lane; any grid size works. The last block to finish adds up
// the sums of all blocks and writes the verdict to memory, where the kernels of step.cu read it. So the host never waits.
//
// The squares of float64 elements may overflow or underflow, as in cpu/norm.cpp. Then the first launch leaves the power of two
// for a second one, which multiplies all elements by it; otherwise the second one does nothing.
#include "write.hpp"

namespace fastadam {
namespace {

constexpr int block = FASTADAM_BLOCK;          // threads
constexpr int teams = block / norm_lanes;      // each processes one chunk at a time
constexpr int rows = norm_chunk / norm_lanes;  // of lanes in a chunk
static_assert(block % norm_lanes == 0);

FASTADAM_INLINE Index chunks(Index size) { return (size + norm_chunk - 1) / norm_chunk; }

// What a thread adds up: the squares of elements, and then sums.
struct Squares {
  FASTADAM_INLINE Real64 term(const Element& x) { return square(Real(x)); }
  FASTADAM_INLINE void publish(unsigned long long*) const {}
};

struct Sums {
  FASTADAM_INLINE Real64 term(const volatile double& x) const { return Real64(x); }  // another block may have written it
};

// The sum of one lane of a chunk; `size` is the number of elements from the start of the chunk on.
template <class Terms, class Number>
FASTADAM_INLINE Real64 sum_of_lane(Terms& terms, Number* chunk, Index size, int lane) {
  Real64 sum = Real64(0);
  if (size >= norm_chunk) {
#pragma unroll 16
    for (int row = 0; row < rows; ++row) sum = sum + terms.term(chunk[row * norm_lanes + lane]);
  } else {
    for (Index i = lane; i < size; i += norm_lanes) sum = sum + terms.term(chunk[i]);
  }
  return sum;
}

// The sum of a team's lanes, returned to its first thread. All threads of a block must call this.
FASTADAM_INLINE Real64 sum_of_team(Real64 lane_sum) {
  __shared__ double lanes[block];
  const int thread = static_cast<int>(threadIdx.x), lane = thread % norm_lanes;
  lanes[thread] = static_cast<double>(lane_sum);
  for (int half = norm_lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (lane < half) lanes[thread] = static_cast<double>(Real64(lanes[thread]) + Real64(lanes[thread + half]));
  }
  const Real64 sum = Real64(lanes[thread]);
  __syncthreads();
  return sum;
}

// The index of the gradient that contains chunk `chunk`.
FASTADAM_INLINE Index gradient_of(const NormArguments& arguments, Index chunk) {
  Index low = 0, high = arguments.count;
  while (high - low > 1) {
    const Index middle = (low + high) / 2;
    (arguments.extents[middle].first_chunk <= chunk ? low : high) = middle;
  }
  return low;
}

// Whether this is the last block to call this. If so, it can then read what the others wrote before.
FASTADAM_INLINE bool is_last(unsigned long long* finished) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last = atomicAdd(finished, 1ULL) == gridDim.x - 1;
  __syncthreads();
  __threadfence();
  return last;
}

FASTADAM_INLINE void store_verdict(const NormArguments& arguments, Real64 found) {
  const StepOptions& options = arguments.options;
  *arguments.verdict = judge_norm(options.knows_norm ? Real64(options.norm) : found, options);
  if (arguments.skips != nullptr && !arguments.verdict->applies) ++*arguments.skips;
}

// The sum of the squares of all elements. Returns whether it is in `total` now: in the first thread of the last block.
template <class Terms>
FASTADAM_INLINE bool add_up(const NormArguments& arguments, Terms terms, Real64& total) {
  const int team = static_cast<int>(threadIdx.x) / norm_lanes, lane = static_cast<int>(threadIdx.x) % norm_lanes;
  for (Index first = static_cast<Index>(blockIdx.x) * teams; first < arguments.chunk_count;
       first += static_cast<Index>(gridDim.x) * teams) {
    const Index chunk = first + team;
    Real64 sum = Real64(0);
    if (chunk < arguments.chunk_count) {
      const Index gradient = gradient_of(arguments, chunk);
      const Extent extent = arguments.extents[gradient];
      const Index begin = (chunk - extent.first_chunk) * norm_chunk;
      sum = sum_of_lane(terms, arguments.grads[gradient] + begin, extent.size - begin, lane);
    }
    sum = sum_of_team(sum);
    if (lane == 0 && chunk < arguments.chunk_count) arguments.sums[chunk] = static_cast<double>(sum);
  }
  terms.publish(&arguments.progress->largest);
  if (!is_last(&arguments.progress->finished)) return false;
  Sums of_sums;
  volatile double* sums = arguments.sums;
  Index count = arguments.chunk_count;
  while (count > 1) {
    volatile double* const next = sums + count;
    for (Index first = 0; first < chunks(count); first += teams) {
      const Index begin = (first + team) * norm_chunk;
      const Real64 sum = sum_of_team(begin < count ? sum_of_lane(of_sums, sums + begin, count - begin, lane) : Real64(0));
      if (lane == 0 && begin < count) next[first + team] = static_cast<double>(sum);
    }
    __syncthreads();
    sums = next;
    count = chunks(count);
  }
  if (threadIdx.x != 0) return false;
  total = arguments.chunk_count == 0 ? Real64(0) : Real64(sums[0]);
  arguments.progress->finished = 0;
  return true;
}

#if defined(FASTADAM_FLOAT64)

FASTADAM_INLINE unsigned long long bits_of(Real64 x) {
  const double value = static_cast<double>(x);
  return *reinterpret_cast<const unsigned long long*>(&value);
}

FASTADAM_INLINE Real64 number_of(unsigned long long bits) { return Real64(*reinterpret_cast<const double*>(&bits)); }

// The squares of elements, and which element is the largest, if it may be so large or small that their sum is of no use: below
// 2^-900, or infinite, for which 2^40 elements below 2^480 do not suffice.
struct WatchedSquares {
  Real64 largest = Real64(0);

  FASTADAM_INLINE Real64 term(const Element& x) {
    const Real64 magnitude = absolute(Real64(x));
    largest = largest < magnitude ? magnitude : largest;
    return square(Real(x));
  }
  FASTADAM_INLINE void publish(unsigned long long* address) const {
    const bool is_small = Real64(0) < largest && largest < Real64(0x1p-449);
    if (is_small || largest >= Real64(0x1p480)) atomicMax(address, bits_of(largest));
  }
};

struct ScaledSquares {
  Real64 scale;

  FASTADAM_INLINE Real64 term(const Element& x) const { return square(Real(x) * scale); }
  FASTADAM_INLINE void publish(unsigned long long*) const {}
};

FASTADAM_INLINE bool is_useful(Real64 sum) { return sum >= Real64(0x1p-900) && Real64(1.7976931348623157e308) >= sum; }

// The power of two, at most 2^1022, that takes a finite number into [1/2, 1).
FASTADAM_INLINE Real64 scale_for(Real64 largest) {
  const long long exponent = 2045 - static_cast<long long>(bits_of(largest) >> 52);  // of the power, in its bits
  const unsigned long long bits = exponent > 0 ? static_cast<unsigned long long>(exponent) << 52 : 1ULL << (51 + exponent);
  return number_of(bits);
}

#endif

}  // namespace
}  // namespace fastadam

using namespace fastadam;

extern "C" __global__ void __launch_bounds__(FASTADAM_BLOCK) fastadam_norm(const __grid_constant__ NormArguments arguments) {
  Real64 sum;
#if !defined(FASTADAM_FLOAT64)
  if (add_up(arguments, Squares{}, sum)) store_verdict(arguments, square_root(sum));
#else
  if (!add_up(arguments, WatchedSquares{}, sum)) return;
  NormProgress& progress = *arguments.progress;
  const Real64 largest = number_of(progress.largest);
  progress.largest = 0;
  progress.scale = 0;
  if (is_useful(sum) || sum != sum) {
    store_verdict(arguments, square_root(sum));
  } else if (!(Real64(0) < largest) || !(Real64(1.7976931348623157e308) >= largest)) {
    store_verdict(arguments, largest);
  } else {
    progress.scale = static_cast<double>(scale_for(largest));
  }
#endif
}

#if defined(FASTADAM_FLOAT64)
extern "C" __global__ void __launch_bounds__(FASTADAM_BLOCK)
    fastadam_norm_scaled(const __grid_constant__ NormArguments arguments) {
  const Real64 scale = Real64(arguments.progress->scale);
  if (!(Real64(0) < scale)) return;
  Real64 sum;
  if (add_up(arguments, ScaledSquares{scale}, sum)) store_verdict(arguments, square_root(sum) / scale);
}
#endif
