// How the elements of an array lie in memory. Kernels know nothing of dimensions: arrays may have them in any order if they
// fill a block of memory, and if all arrays of a tensor have the same order.
#pragma once

#include <cstdint>

namespace fastadam {

// Whether elements fill a block of memory, in whatever order of the dimensions, without overlap. Strides are in units of which
// an element has `unit`.
template <class Int>
bool is_dense(int ndim, const Int* shape, const Int* strides, Int unit) {
  Int block = unit;  // what the dimensions found so far fill
  int left = 0;
  for (int d = ndim; d-- > 0;) {
    if (shape[d] == 0) return true;
    if (shape[d] == 1) continue;
    if (left == 0 && strides[d] == block) {  // in the usual order
      block *= shape[d];
    } else {
      ++left;
    }
  }
  if (left == 0) return true;
  block = unit;
  Int count = unit;
  for (int d = 0; d < ndim; ++d) count *= shape[d];
  for (int found = 0; found < ndim;) {
    const int before = found;
    for (int d = 0; d < ndim; ++d) {
      // Each has the stride that the block before it asks for, so none is found twice.
      if (shape[d] != 1 && strides[d] == block) {
        block *= shape[d];
        ++found;
      }
    }
    if (found == before) break;
  }
  return block == count;
}

// Whether elements of the same index are at the same place of the block, in two arrays of one shape.
template <class Int>
bool have_same_order(int ndim, const Int* shape, const Int* strides, const Int* others) {
  bool same = true, empty = false;
  for (int d = 0; d < ndim; ++d) {
    same &= shape[d] <= 1 || strides[d] == others[d];
    empty |= shape[d] == 0;
  }
  return same || empty;
}

}  // namespace fastadam
