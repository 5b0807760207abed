// The loads and stores of a step of Adam, for measuring how fast a step could be.
#pragma once

#include <cstdint>

#include "../buffers.hpp"
#include "../dtype.hpp"

namespace fastadam {

// On up to `threads` threads (0: the default). `buffers` has two states; all arrays but the gradient change.
void memory_wall(const Buffers& buffers, DType dtype, int64_t size, int threads);

}  // namespace fastadam
