// Lets a C++ compiler take the CUDA kernels: put before the text that CuPy compiles, it makes the CPU run one thread of the
// grid after the other, which is one of the orders that a GPU may choose.
#include <cstring>

#define __global__
#define __grid_constant__
#define __launch_bounds__(...)

struct OneDimension {
  unsigned x;
};
static thread_local OneDimension threadIdx, blockIdx, gridDim;

#if defined(HOST_FIBERS)
#include "cuda_fibers.hpp"
#else
template <class Kernel>
void run_block(unsigned threads, const Kernel& kernel) {
  for (threadIdx.x = 0; threadIdx.x < threads; ++threadIdx.x) kernel();
}
#endif

// Runs the blocks [first, last) of a grid of `blocks`.
template <class Argument>
void run_grid(void (*kernel)(Argument), const void* bytes, unsigned blocks, unsigned first, unsigned last, unsigned threads) {
  Argument argument;
  std::memcpy(&argument, bytes, sizeof argument);
  gridDim.x = blocks;
  for (blockIdx.x = first; blockIdx.x < last; ++blockIdx.x) run_block(threads, [&] { kernel(argument); });
}

// For each kernel a function that takes plain arguments, and the size that the kernel expects of its own.
#define HOST_KERNEL(name)                                                                                           \
  extern "C" void run_##name(const void* bytes, unsigned blocks, unsigned first, unsigned last, unsigned threads) { \
    run_grid(name, bytes, blocks, first, last, threads);                                                            \
  }                                                                                                                 \
  template <class Argument>                                                                                         \
  constexpr unsigned size_of_##name(void (*)(Argument)) {                                                           \
    return sizeof(Argument);                                                                                        \
  }                                                                                                                 \
  extern "C" unsigned argument_size_##name() { return size_of_##name(name); }
