// Where an optimizer found its arrays: the mappings and sequences of the caller.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>

namespace fastadam {

// The index of the first array that is no longer where it was found; arrays[i] was at origins[i], a tuple of a container and
// a key, or None. What is no longer in a container was not replaced.
std::optional<pybind11::ssize_t> first_replaced(const pybind11::list& origins, const pybind11::list& arrays);

}  // namespace fastadam
