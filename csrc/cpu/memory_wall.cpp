#include "memory_wall.hpp"

#include "float_env.hpp"
#include "isa.hpp"
#include "tasks.hpp"

namespace fastadam {

void memory_wall(const Buffers& buffers, DType dtype, int64_t size, int threads) {
  const DefaultFloatEnv float_env;
  const Kernels& kernels = active_kernels(dtype);
  const Coefficients none{};
  run_tasks(kernels, dtype,
            {{{kernels.memory_wall, nullptr, nullptr}, nullptr, &none, nullptr, buffers, nullptr, size, nullptr}}, threads);
}

}  // namespace fastadam
