// DLPack's structs, of major version 1, and of its first versions what every exporter still gives.
#pragma once

#include <cstdint>

namespace fastadam::dlpack {

constexpr int cpu = 1, cuda = 2;     // types of devices
constexpr int real = 2, bfloat = 4;  // codes of types

struct Tensor {
  void* data;
  struct {
    int32_t type, id;
  } device;
  int32_t ndim;
  struct {
    uint8_t code, bits;
    uint16_t lanes;
  } dtype;
  int64_t *shape, *strides;  // strides in elements; null: in C order
  uint64_t byte_offset;
};

// What a capsule named "dltensor" holds.
struct ManagedTensor {
  Tensor tensor;
  void* context;
  void (*deleter)(ManagedTensor*);
};

// What one named "dltensor_versioned" holds.
struct VersionedTensor {
  uint32_t major, minor;
  void* context;
  void (*deleter)(VersionedTensor*);
  uint64_t flags;
  Tensor tensor;
};
constexpr uint64_t read_only = 1;  // a flag

struct ExchangeAPI {
  struct {
    uint32_t major, minor;
  } version;
  void* older;
  int (*allocate)(void*, void**, void*, void (*)(void*, const char*, const char*));
  int (*managed_from_object)(void*, void**);
  int (*managed_to_object)(void*, void**);
  int (*tensor_from_object)(void*, void*);  // fills a Tensor that borrows all; null if not supported
  int (*current_stream)(int32_t, int32_t, void**);
};

}  // namespace fastadam::dlpack
