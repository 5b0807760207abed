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
  const float* memory;
};
using NamedArrays = std::array<NamedArray, state_role + max_states + 1>;

// Those of a rule's step, without the states' addresses.
NamedArrays named_arrays(const float* param, const float* grad);

void expect_rule(const fastadam_rule* rule);
void expect_usable(const std::string& name, const float* memory, int64_t size);
void expect_threads(int threads, int least = 0);

}  // namespace fastadam
