#include "checks.hpp"

#include <limits>
#include <stdexcept>

namespace fastadam {
namespace {

thread_local std::string error_text;

}  // namespace

int out_of_memory() noexcept {
  error_text = "out of memory";  // short enough not to allocate
  return FASTADAM_NO_MEMORY;
}

int failed(const std::exception& error) noexcept {
  try {
    error_text = error.what();
    return FASTADAM_INVALID;
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

const char* last_error() noexcept { return error_text.c_str(); }

void refuse(const std::string& name, const std::string& found, const std::string& expected) {
  throw std::invalid_argument(name + " " + found + "; expected " + expected);
}

std::string indexed(const std::string& name, size_t i) { return name + '[' + std::to_string(i) + ']'; }

NamedArrays named_arrays(const void* param, const void* grad) {
  return {{{"param", param},
           {"grad", grad},
           {"states[0]", nullptr},
           {"states[1]", nullptr},
           {"states[2]", nullptr},
           {"states[3]", nullptr},
           {"states[4]", nullptr}}};
}

void expect_rule(const fastadam_rule* rule) {
  if (!rule) refuse("rule", "is NULL", "a rule from rule_new");
}

int number_of(DType dtype) { return dtype == DType::float32 ? FASTADAM_FLOAT32 : FASTADAM_FLOAT64; }

DType dtype_numbered(const std::string& name, int number) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    if (number == number_of(dtype)) return dtype;
  }
  refuse(name, "is " + std::to_string(number), "FASTADAM_FLOAT32 (0) or FASTADAM_FLOAT64 (1)");
}

void* elements_of(const std::string& name, const fastadam_array* array, DType dtype) {
  if (!array) refuse(name, "is NULL", "the address of a fastadam_array");
  const DType found = dtype_numbered(name + ".dtype", array->dtype);
  if (found != dtype) refuse(name + ".dtype", std::string("is that of ") + name_of(found), name_of(dtype));
  if (array->scales) refuse(name + ".scales", "is not NULL", std::string("NULL: ") + name_of(dtype) + " has no scales");
  return array->elements;
}

bool is_aligned(const void* memory, DType dtype) {
  return reinterpret_cast<uintptr_t>(memory) % static_cast<uintptr_t>(size_of(dtype)) == 0;
}

void expect_float32(const char* name, DType dtype) {
  if (dtype != DType::float32) refuse(name, std::string("is for ") + name_of(dtype), "float32; use the function for arrays");
}

void expect_aligned(const std::string& name, const void* memory, DType dtype) {
  if (is_aligned(memory, dtype)) return;
  refuse(name, "is not aligned", "an address aligned to " + std::to_string(size_of(dtype)) + " bytes");
}

void expect_usable(const std::string& name, const void* memory, int64_t size, DType dtype) {
  const int64_t most = std::numeric_limits<int64_t>::max() / size_of(dtype);
  if (size < 0 || size > most) refuse("size", "is " + std::to_string(size), "a number of elements, at least 0");
  const char* const kind = dtype == DType::float32 ? " floats" : " doubles";
  if (!memory && size > 0) refuse(name, "is NULL", "the address of " + std::to_string(size) + kind);
  expect_aligned(name, memory, dtype);
}

void expect_threads(int threads, int least) {
  if (threads >= least) return;
  refuse("threads", "is " + std::to_string(threads),
         least > 0 ? "a number of threads" : "a number of threads, or 0 for the default");
}

}  // namespace fastadam
