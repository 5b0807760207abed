// The structs of cuda/arguments.hpp for one type of elements, in plain C++: Python learns of them through cuda_structs.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "dtype.hpp"
#include "step_options.hpp"

namespace fastadam {

// A number, if it has NumPy's name of one, or else a struct; or an array of these.
struct Layout {
  struct Member;
  std::string number;
  size_t size = 0;   // bytes, of one
  size_t count = 0;  // in an array; 0: it is none
  std::vector<Member> members;
};

struct Layout::Member {
  std::string name;
  size_t offset;
  Layout layout;
};

struct CudaTypes {
  // By name. Pointers are int64; "coefficients" has room for those of any rule.
  std::vector<std::pair<std::string, Layout>> (*structs)();

  // The bytes of the struct Gradients of a group; `verdict` is an address on the device, 0 for none.
  std::string (*gradients)(const StepOptions& options, bool maximize, uintptr_t verdict);
};

const CudaTypes& cuda_types_of(DType dtype);

}  // namespace fastadam
