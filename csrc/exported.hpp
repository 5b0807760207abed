// NumPy arrays over the memory of arrays of any library.
#pragma once

#include <pybind11/numpy.h>

#include "refusal.hpp"

namespace fastadam {

// Throws Refusal if `object` is no array whose memory NumPy can have. Numbers that NumPy has no type for, bfloat16, become the
// type of `bfloat16_type`.
pybind11::array as_array(pybind11::handle object, Place place);

// Whether it is a fastadam.bfloat16, whose bits are those of one NumPy array for good.
bool is_wrapped(pybind11::handle object);
void set_bfloat16_class(const pybind11::type& type);

// NumPy's type for the 16 bits of a bfloat16, which is one that no array has by chance.
pybind11::dtype bfloat16_type();

// Whether it is that, or that of ml_dtypes, which is not imported.
bool is_bfloat16(const pybind11::dtype& dtype);

}  // namespace fastadam
