// The CUDA kernel of the global norm. csrc/rules/norm.hpp defines the order in which squares are added.
//
// Each warp processes one chunk at a time, each of its threads one lane; any grid size works. The last block to finish adds up
// the sums of all blocks and writes the verdict to memory, where the kernels of step.cu read it. So the host never waits.
#include "write.hpp"

namespace fastadam {
namespace {

constexpr int block = FASTADAM_BLOCK;          // threads
constexpr int teams = block / norm_lanes;      // each processes one chunk at a time
constexpr int rows = norm_chunk / norm_lanes;  // of lanes in a chunk
static_assert(block % norm_lanes == 0);

FASTADAM_INLINE Index chunks(Index size) { return (size + norm_chunk - 1) / norm_chunk; }

FASTADAM_INLINE Real64 term(const float& x) { return square(Real(x)); }
FASTADAM_INLINE Real64 term(const volatile double& x) { return Real64(x); }  // another block may have written it

// The sum of one lane of a chunk; `size` is the number of elements from the start of the chunk on.
template <class Number>
FASTADAM_INLINE Real64 sum_of_lane(Number* chunk, Index size, int lane) {
  Real64 sum = Real64(0);
  if (size >= norm_chunk) {
#pragma unroll 16
    for (int row = 0; row < rows; ++row) sum = sum + term(chunk[row * norm_lanes + lane]);
  } else {
    for (Index i = lane; i < size; i += norm_lanes) sum = sum + term(chunk[i]);
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

FASTADAM_INLINE void store_verdict(const NormArguments& arguments, Real64 sum) {
  *arguments.verdict = judge_norm(square_root(sum), arguments.options);
  if (arguments.skips != nullptr && !arguments.verdict->applies) ++*arguments.skips;
}

}  // namespace
}  // namespace fastadam

using namespace fastadam;

extern "C" __global__ void __launch_bounds__(FASTADAM_BLOCK) fastadam_norm(const __grid_constant__ NormArguments arguments) {
  const int team = static_cast<int>(threadIdx.x) / norm_lanes, lane = static_cast<int>(threadIdx.x) % norm_lanes;
  for (Index first = static_cast<Index>(blockIdx.x) * teams; first < arguments.chunk_count;
       first += static_cast<Index>(gridDim.x) * teams) {
    const Index chunk = first + team;
    Real64 sum = Real64(0);
    if (chunk < arguments.chunk_count) {
      const Index gradient = gradient_of(arguments, chunk);
      const Extent extent = arguments.extents[gradient];
      const Index begin = (chunk - extent.first_chunk) * norm_chunk;
      sum = sum_of_lane(arguments.grads[gradient] + begin, extent.size - begin, lane);
    }
    sum = sum_of_team(sum);
    if (lane == 0 && chunk < arguments.chunk_count) arguments.sums[chunk] = static_cast<double>(sum);
  }
  if (!is_last(arguments.finished)) return;
  volatile double* sums = arguments.sums;
  Index count = arguments.chunk_count;
  while (count > 1) {
    volatile double* const next = sums + count;
    for (Index first = 0; first < chunks(count); first += teams) {
      const Index begin = (first + team) * norm_chunk;
      const Real64 sum = sum_of_team(begin < count ? sum_of_lane(sums + begin, count - begin, lane) : Real64(0));
      if (lane == 0 && begin < count) next[first + team] = static_cast<double>(sum);
    }
    __syncthreads();
    sums = next;
    count = chunks(count);
  }
  if (threadIdx.x == 0) {
    store_verdict(arguments, arguments.chunk_count == 0 ? Real64(0) : Real64(sums[0]));
    *arguments.finished = 0;
  }
}
