// Lists of CuPy's arrays, as far as a step on a GPU must look at each of them: in C, since there may be thousands.
#pragma once

#include <pybind11/pybind11.h>

namespace fastadam {

// The address of each array: 0 for None, 1 for one without elements. None if there is another type of array among them, an
// array that is not laid out as its layout (dtype, shape, strides, number of the GPU), or one whose address is not a multiple
// of `alignment`.
pybind11::object gpu_addresses(const pybind11::sequence& arrays, const pybind11::list& layouts,
                               const pybind11::type& array_type, long long alignment);

// Weak references to objects; None for None.
pybind11::list references_to(const pybind11::sequence& objects);

// Whether `references` are to the same objects as these, none of which has died.
bool are_references_to(const pybind11::list& references, const pybind11::sequence& objects);

}  // namespace fastadam
