// What the functions of the C interface have in common: errors as codes and text, and checks of what C has no types for.
#pragma once

#include <array>
#include <cstdint>
#include <exception>
#include <new>
#include <string>

#include "../buffers.hpp"
#include "../include/fastadam.h"
#include "../refusal.hpp"
#include "../rule.hpp"

struct fastadam_rule {
  fastadam::NamedOptions options;
  fastadam::Rule rule;
};

namespace fastadam {

// Keeps the text of an error for this thread and returns its code.
int failed(const std::exception& error) noexcept;
int out_of_memory() noexcept;
const char* last_error() noexcept;

// Calls what may throw and returns a status, since C cannot catch exceptions.
template <class Call>
int guarded(Call call) {
  try {
    call();
    return FASTADAM_OK;
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::exception& error) {
    return failed(error);
  }
}

[[noreturn]] void refuse(const std::string& name, const std::string& found, const std::string& expected);

// The arrays of a step and their names, by role.
struct NamedArray {
  const char* name;
  const void* memory;
};
using NamedArrays = std::array<NamedArray, state_role + max_states + 1>;

// Those of a rule's step, without the states' addresses.
NamedArrays named_arrays(const void* param, const void* grad);

// The numbers that C has for types.
int number_of(DType dtype);
DType dtype_numbered(const std::string& name, int number);

bool is_aligned(const void* memory, DType dtype);

// The address of the elements of an array, which is given and has this type.
void* elements_of(const std::string& name, const fastadam_array* array, DType dtype);

// The same for an array that C gives as an address or as a description.
inline const void* address(const std::string&, const float* memory, DType) { return memory; }
inline const void* address(const std::string& name, const fastadam_array& array, DType dtype) {
  return elements_of(name, &array, dtype);
}

// As in "grads[2]".
std::string indexed(const std::string& name, size_t i);

// The addresses of a rule's states, which C gives as addresses or as descriptions.
template <class Given>
void set_states(const Rule& rule, NamedArrays& arrays, const Given* states) {
  const int count = rule.array_count();
  if (count > 0 && !states) refuse("states", "is NULL", "the addresses of " + std::to_string(count) + " arrays");
  for (int k = 0; k < count; ++k) {
    NamedArray& array = arrays[state_role + k];
    array.memory = address(array.name, states[k], rule.dtype);
  }
}

void expect_rule(const fastadam_rule* rule);
// For functions that take floats.
void expect_float32(const char* name, DType dtype);
void expect_aligned(const std::string& name, const void* memory, DType dtype);
void expect_usable(const std::string& name, const void* memory, int64_t size, DType dtype);
void expect_threads(int threads, int least = 0);

}  // namespace fastadam
