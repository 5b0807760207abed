// The kernel that writes tables to the device's memory.
#pragma once

#include "arguments.hpp"

extern "C" __global__ void __launch_bounds__(FASTADAM_BLOCK)
    fastadam_write(const __grid_constant__ fastadam::WriteArguments arguments) {
  for (long long i = threadIdx.x; i < arguments.count; i += FASTADAM_BLOCK) arguments.destination[i] = arguments.words[i];
}
