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

NamedArrays named_arrays(const float* param, const float* grad) {
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

void expect_usable(const std::string& name, const float* memory, int64_t size) {
  constexpr int64_t most = std::numeric_limits<int64_t>::max() / sizeof(float);
  if (size < 0 || size > most) refuse("size", "is " + std::to_string(size), "a number of elements, at least 0");
  if (!memory && size > 0) refuse(name, "is NULL", "the address of " + std::to_string(size) + " floats");
  if (reinterpret_cast<uintptr_t>(memory) % alignof(float) != 0)
    refuse(name, "is not aligned", "an address aligned to 4 bytes");
}

void expect_threads(int threads, int least) {
  if (threads >= least) return;
  refuse("threads", "is " + std::to_string(threads),
         least > 0 ? "a number of threads" : "a number of threads, or 0 for the default");
}

}  // namespace fastadam
