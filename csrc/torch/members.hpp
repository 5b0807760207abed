// What a step knows of a parameter that takes part in it.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>

#include "../rule.hpp"

namespace fastadam {

// The arrays of a parameter, by which the steps of the same parameters are told.
struct TorchArrays {
  void* param;
  void* states[max_states + 1];  // with the average
  int state_count;
  int64_t size;
  bool operator==(const TorchArrays&) const = default;
};

// A 0-d tensor in the CPU's memory.
struct TorchScalar {
  void* memory = nullptr;
  bool is_double = false;
  double get() const { return is_double ? *static_cast<double*>(memory) : double{*static_cast<float*>(memory)}; }
  // Multiplies and then adds, in the tensor's type, as torch does.
  void change(double factor, double term) const;
  explicit operator bool() const { return memory != nullptr; }
};

// The number of a parameter, its group, and its index there.
struct TorchPlace {
  Py_ssize_t number;
  size_t group;
  Py_ssize_t index;
  pybind11::tuple with(const char* reason) const { return pybind11::make_tuple(number, group, index, reason); }
};

struct TorchMember {
  TorchPlace where;
  PyObject* param;
  PyObject* local;  // of this process, of a parameter that is spread over several; else null
  const void* grad;
  int64_t steps;
  TorchScalar step, product;
};

}  // namespace fastadam
