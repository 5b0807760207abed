#include "prefetch.hpp"

#include <atomic>

#include "x86_level.hpp"

namespace fastadam {
namespace {

std::atomic<int64_t>& distance() {
  static std::atomic<int64_t> elements{is_intel() ? 512 : 0};
  return elements;
}

}  // namespace

int64_t prefetch_distance(int64_t elements) { return elements >= int64_t{1} << 18 ? prefetch_distance() : 0; }

int64_t prefetch_distance() { return distance().load(std::memory_order_relaxed); }

void set_prefetch_distance(int64_t elements) { distance() = elements; }

}  // namespace fastadam
