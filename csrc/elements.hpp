// What the elements of NumPy arrays are, and whether kernels can use their memory in place.
#pragma once

#include <pybind11/numpy.h>

#include <optional>

#include "dtype.hpp"
#include "refusal.hpp"
#include "stored.hpp"

namespace fastadam {

// The NumPy flags of an array that is read, or updated.
constexpr int to_read = pybind11::detail::npy_api::NPY_ARRAY_ALIGNED_;
constexpr int to_write = to_read | pybind11::detail::npy_api::NPY_ARRAY_WRITEABLE_;

// Numbers of a type, or complex ones, which are pairs of them, or numbers of 16 bits that are float32 to the kernels.
struct Elements {
  DType dtype;
  bool is_complex;
  Format format = Format::real;  // or bfloat16 or float16
};

// None if the kernels do not know them.
std::optional<Elements> elements_of(const pybind11::array& array);

// As NumPy calls it.
const char* name_of(Elements elements);

// How many numbers of the kernels' type an array has.
pybind11::ssize_t number_count(const pybind11::array& array);

// Throws Refusal unless a kernel can use an array's memory in place; `flags` are the NumPy flags that it needs. `param` is the
// parameter that it belongs to, if it is not one itself.
void expect_usable(const pybind11::array& array, DType dtype, Place place, int flags, const pybind11::array* param = nullptr);

// What arrays hold of states that are stored in other formats, and of what a parameter is rounded from.
enum class Codes { none, halves, bytes, exponents };

// The same for an array of codes, which is updated.
void expect_codes(const pybind11::array& array, Codes codes, Place place, const pybind11::array& param);

void expect_shape(const pybind11::array& array, const pybind11::array& param, Place place);

// The last NumPy array of those that an array is a view of, whose memory it is; null if it is its own.
pybind11::object owner_of(const pybind11::array& array);

}  // namespace fastadam
