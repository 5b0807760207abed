// For kernels whose threads wait for each other: those of a block run as fibers, each until the next barrier, in turn.
#include <ucontext.h>

#include <functional>
#include <vector>

#define __shared__ static

struct Fiber {
  ucontext_t context;
  std::vector<char> stack = std::vector<char>(1 << 16);
  bool done;
};
static std::vector<Fiber> fibers;
static ucontext_t scheduler;
static std::function<void()> body;

static void __syncthreads() { swapcontext(&fibers[threadIdx.x].context, &scheduler); }
static void __threadfence() {}
static unsigned long long atomicAdd(unsigned long long* address, unsigned long long value) {
  const unsigned long long before = *address;
  *address += value;
  return before;
}

static unsigned long long atomicMax(unsigned long long* address, unsigned long long value) {
  const unsigned long long before = *address;
  *address = value > before ? value : before;
  return before;
}

static void run_fiber() {
  body();
  fibers[threadIdx.x].done = true;
}

static void run_block(unsigned threads, const std::function<void()>& kernel) {
  body = kernel;
  if (fibers.size() < threads) fibers.resize(threads);
  for (unsigned i = 0; i < threads; ++i) {
    Fiber& fiber = fibers[i];
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    fiber.context.uc_stack.ss_size = fiber.stack.size();
    fiber.context.uc_link = &scheduler;
    fiber.done = false;
    makecontext(&fiber.context, run_fiber, 0);
  }
  for (bool running = true; running;) {
    running = false;
    for (threadIdx.x = 0; threadIdx.x < threads; ++threadIdx.x) {
      if (!fibers[threadIdx.x].done) swapcontext(&scheduler, &fibers[threadIdx.x].context);
      running |= !fibers[threadIdx.x].done;
    }
  }
}
