#include "memory_wall.hpp"

#include "float_env.hpp"
#include "isa.hpp"
#include "tasks.hpp"

namespace fastadam {

void memory_wall(const Buffers& buffers, int64_t size, int threads) {
  const DefaultFloatEnv float_env;
  const Kernels& kernels = active_kernels();
  const Coefficients none{};
  run_tasks(kernels, {{{kernels.memory_wall, nullptr}, nullptr, &none, nullptr, buffers, nullptr, size}}, threads);
}

}  // namespace fastadam
