// The bytes of a part of a norm: a header, and then for each run of the tree of sums where it is (a Stretch) and its numbers.
//
// Of n elements in a row on one process these are about 35 kB at most: on each of two levels up to 2,047 numbers of a chunk
// whose begin is elsewhere, and fewer on the third. Of a chunk that begins here, the sums of 32 lanes say all.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

namespace fastadam {

struct PartHeader {
  uint64_t format;  // message_format, by which the order of bytes is told too
  uint64_t layout;  // a hash of the sizes of the whole's arrays
  int64_t chunks;   // of the whole
  double scale;
  double largest;  // the largest magnitude of an element, if it may be that of all and be needed; else 0
  int64_t runs;
};

constexpr uint64_t message_format = 0x3174726170616466;  // "fdapart1"

template <class Pod>
void write(std::string& bytes, const Pod* items, size_t count) {
  bytes.append(reinterpret_cast<const char*>(items), count * sizeof(Pod));
}

template <class Pod>
void read(std::string_view& bytes, Pod* items, size_t count) {
  if (bytes.size() / sizeof(Pod) < count) throw std::invalid_argument("is cut off");
  std::memcpy(items, bytes.data(), count * sizeof(Pod));
  bytes.remove_prefix(count * sizeof(Pod));
}

}  // namespace fastadam
