// The kernel that writes tables in the device's memory.
#pragma once

namespace fastadam {
namespace {

// Eight-byte words that travel as an argument, so that writing them needs neither memory of the host nor synchronization.
struct WriteArguments {
  long long* destination;
  long long count;
  long long words[FASTADAM_WORDS];
};

}  // namespace
}  // namespace fastadam

extern "C" __global__ void __launch_bounds__(FASTADAM_BLOCK)
    fastadam_write(const __grid_constant__ fastadam::WriteArguments arguments) {
  for (long long i = threadIdx.x; i < arguments.count; i += FASTADAM_BLOCK) arguments.destination[i] = arguments.words[i];
}
