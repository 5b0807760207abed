#include "memory.hpp"

#include <algorithm>
#include <functional>

namespace fastadam {
namespace {

const std::less<const char*> before;

}  // namespace

void OwnedMemory::add(const void* begin, int64_t bytes, Place place) {
  const auto first = static_cast<const char*>(begin);
  if (bytes > 0) intervals_.push_back({first, first + bytes, place});  // an empty array has no memory to share
}

void OwnedMemory::seal() {
  std::sort(intervals_.begin(), intervals_.end(),
            [](const Interval& a, const Interval& b) { return before(a.begin, b.begin); });
  for (size_t i = 1; i < intervals_.size(); ++i) {
    const Interval &lower = intervals_[i - 1], &upper = intervals_[i];
    if (before(upper.begin, lower.end)) throw Refusal("overlap", lower.place, upper.place);
  }
}

void OwnedMemory::expect_apart(const void* begin, int64_t bytes, Place place) const {
  const auto first = static_cast<const char*>(begin);
  const auto next = std::upper_bound(intervals_.begin(), intervals_.end(), first,
                                     [](const char* p, const Interval& owned) { return before(p, owned.end); });
  if (bytes > 0 && next != intervals_.end() && before(next->begin, first + bytes)) throw Refusal("overlap", place, next->place);
}

}  // namespace fastadam
