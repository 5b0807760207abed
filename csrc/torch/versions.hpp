// The version counters of PyTorch's tensors, by which a backward() notices that what it needs was overwritten since.
#pragma once

#include <pybind11/pybind11.h>

namespace fastadam {

class TensorVersions {
 public:
  // Of the torch that is imported, or without effect if there is none.
  TensorVersions();

  // Whether an object is a tensor of it.
  bool has(pybind11::handle object) const;

  // Notes that the tensors were written to. Runs no code of Python's, so that no signal comes between a step and this.
  void increment(const pybind11::list& tensors) const;

 private:
  pybind11::object tensor_, increment_;
  bool takes_list_ = false;
};

}  // namespace fastadam
