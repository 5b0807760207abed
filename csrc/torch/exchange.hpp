// Where the memory of a tensor of PyTorch is: by the C table that torch offers for this (DLPack 1.2's exchange API), which
// needs no header of torch and binds to no version of it, or by a function of Python for a torch without that table.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <vector>

#include "../dtype.hpp"

namespace fastadam {

// What a tensor says of its memory. It owns nothing, and is good until the tensor is changed.
struct TensorView {
  enum Code { real = 2, complex = 5 };  // DLPack's numbers
  static constexpr int cpu = -1, elsewhere = -2;

  void* memory = nullptr;
  int device = elsewhere;  // the number of the NVIDIA GPU, or one of these
  int code = 0, bits = 0;  // of an element
  int ndim = 0;
  const int64_t *shape = nullptr, *strides = nullptr;
  std::vector<int64_t> described;  // what the two point to, if Python told them
  // Of a tensor that is spread over processes: the tensor of this one, whose memory it is, and how it is spread. Else null.
  pybind11::object local, placement;

  // Whether it is in the CPU's or a GPU's memory, aligned, with elements that are one float32 or float64 number or two.
  bool is_floats() const;
  bool is_complex() const { return code == complex; }
  // The type of these numbers, and how many there are.
  DType dtype() const { return bits == (is_complex() ? 128 : 64) ? DType::float64 : DType::float32; }
  int64_t size() const;
  bool is_aligned() const;
  // Whether its elements fill a block of memory, in whatever order of the dimensions, without overlap.
  bool is_dense() const;
  // Whether elements of the same index are at the same place of the block in both, on the same device and of the same process,
  // and are of one type.
  bool matches(const TensorView& other) const;
  // Whether it is a single float32 or float64 number, wherever it is.
  bool is_scalar() const;
};

class Exchange {
 public:
  // `table` is a capsule or None; then `describe` takes a tensor and returns None or (address, shape, strides, code, bits,
  // device), the last as in TensorView.
  // `types` are the classes whose instances are nothing but tensors; `local` takes an instance of another class and returns
  // None or (tensor of this process, placement); `is_neg` and `is_conj` are functions of a tensor.
  Exchange(const pybind11::object& table, pybind11::object describe, pybind11::tuple types, pybind11::object local,
           pybind11::object is_neg, pybind11::object is_conj);

  // False if it is no plain tensor, nor one spread over processes, or is one without memory of its own.
  bool view(PyObject* tensor, TensorView& out) const;

  // Whether the tensor stands for other numbers than those in its memory: their negatives or conjugates.
  bool is_lazy(PyObject* tensor, const TensorView& view) const;

 private:
  bool is_plain(PyObject* tensor) const;
  bool view_by_python(PyObject* tensor, TensorView& out) const;

  int (*fill_)(void*, void*) = nullptr;  // of the table
  pybind11::object describe_, local_, is_neg_, is_conj_;
  pybind11::tuple types_;
};

}  // namespace fastadam
