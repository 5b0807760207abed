// The types that elements have.
#pragma once

#include <cstdint>

namespace fastadam {

enum class DType { float32, float64 };

constexpr const char* name_of(DType dtype) { return dtype == DType::float32 ? "float32" : "float64"; }
constexpr int64_t size_of(DType dtype) { return dtype == DType::float32 ? 4 : 8; }

}  // namespace fastadam
