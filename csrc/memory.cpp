#include "memory.hpp"

#include <algorithm>
#include <functional>

namespace fastadam {
namespace {

const std::less<const float*> before;

}  // namespace

void OwnedMemory::add(const float* begin, int64_t size, Place place) {
  if (size > 0) intervals_.push_back({begin, begin + size, place});  // an empty array has no memory to share
}

void OwnedMemory::seal() {
  std::sort(intervals_.begin(), intervals_.end(),
            [](const Interval& a, const Interval& b) { return before(a.begin, b.begin); });
  for (size_t i = 1; i < intervals_.size(); ++i) {
    const Interval &lower = intervals_[i - 1], &upper = intervals_[i];
    if (before(upper.begin, lower.end)) throw Refusal("overlap", lower.place, upper.place);
  }
}

void OwnedMemory::expect_apart(const float* begin, int64_t size, Place place) const {
  const auto next = std::upper_bound(intervals_.begin(), intervals_.end(), begin,
                                     [](const float* p, const Interval& owned) { return before(p, owned.end); });
  if (size > 0 && next != intervals_.end() && before(next->begin, begin + size)) throw Refusal("overlap", place, next->place);
}

}  // namespace fastadam
