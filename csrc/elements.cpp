#include "elements.hpp"

#include <pybind11/complex.h>

#include <algorithm>
#include <complex>
#include <string>
#include <vector>

#include "exported.hpp"
#include "layout.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

using Flags = py::detail::npy_api;

template <class Number>
bool has_type(const py::array& array) {
  static const PyObject* const canonical = py::dtype::of<Number>().release().ptr();  // which nearly all arrays have
  if (py::detail::array_proxy(array.ptr())->descr == canonical) return true;
  // A dtype may also state the native byte order explicitly, as those of ctypes do.
  return array.dtype().equal(py::dtype::of<Number>());
}

}  // namespace

std::optional<Elements> elements_of(const py::array& array) {
  if (has_type<float>(array)) return Elements{DType::float32, false};
  if (has_type<double>(array)) return Elements{DType::float64, false};
  if (has_type<std::complex<float>>(array)) return Elements{DType::float32, true};
  if (has_type<std::complex<double>>(array)) return Elements{DType::float64, true};
  if (is_bfloat16(array.dtype())) return Elements{DType::float32, false, Format::bfloat16};
  if (array.dtype().char_() == 'e' && array.dtype().byteorder() == '=') return Elements{DType::float32, false, Format::float16};
  return std::nullopt;
}

const char* name_of(Elements elements) {
  if (!elements.is_complex) return name_of(elements.dtype);
  return elements.dtype == DType::float32 ? "complex64" : "complex128";
}

py::ssize_t number_count(const py::array& array) { return array.dtype().kind() == 'c' ? 2 * array.size() : array.size(); }

namespace {

bool has_same_shape(const py::array& array, const py::array& param) {
  return array.ndim() == param.ndim() && std::equal(array.shape(), array.shape() + array.ndim(), param.shape());
}

// Whether the elements fill a block of memory.
bool fills_block(const py::array& array) {
  constexpr int usual = Flags::NPY_ARRAY_C_CONTIGUOUS_ | Flags::NPY_ARRAY_F_CONTIGUOUS_;
  if (array.flags() & usual) return true;
  return is_dense(static_cast<int>(array.ndim()), array.shape(), array.strides(), array.itemsize());
}

// Those of an array laid out like `param`, with elements of another size.
std::vector<py::ssize_t> strides_like(const py::array& param, py::ssize_t itemsize) {
  std::vector<py::ssize_t> strides(param.strides(), param.strides() + param.ndim());
  for (py::ssize_t& stride : strides) stride = stride / param.itemsize() * itemsize;
  return strides;
}

// Whether the elements have the order in memory that those of the parameter have. One of another shape is refused for that.
bool has_order_of(const py::array& param, const py::array& array) {
  if (array.flags() & param.flags() & Flags::NPY_ARRAY_C_CONTIGUOUS_) return true;
  if (!has_same_shape(array, param)) return fills_block(array);
  const std::vector<py::ssize_t> strides = strides_like(param, array.itemsize());
  return have_same_order(static_cast<int>(array.ndim()), array.shape(), array.strides(), strides.data());
}

void expect_aligned(const py::array& array, Place place, int flags) {
  const int missing = flags & ~array.flags();
  if (missing & Flags::NPY_ARRAY_ALIGNED_) throw Refusal("alignment", place);
  if (missing & Flags::NPY_ARRAY_WRITEABLE_) throw Refusal("read-only", place);
}

}  // namespace

void expect_usable(const py::array& array, DType dtype, Place place, int flags, const py::array* param) {
  const std::optional<Elements> found = elements_of(array);
  const std::optional<Elements> expected = param ? elements_of(*param) : found;
  const bool has_right_parts = found && found->dtype == dtype;
  const bool is_alike = found && found->dtype == expected->dtype && found->is_complex == expected->is_complex;
  if (!is_alike && expected && (has_right_parts || expected->is_complex)) {
    throw Refusal("dtype", place, {param_role, place.tensor}, name_of(*expected));
  }
  if (!has_right_parts) throw Refusal("dtype", place, place, name_of(dtype));
  if (place.role >= state_role && found->format != Format::real) {
    // Beside a parameter of 16 bits the type of the parameter is not the one to have.
    throw Refusal(expected->format == Format::real ? "dtype" : "codes", place, place, name_of(dtype));
  }
  if (param && !has_order_of(*param, array)) throw Refusal("layout", place, {param_role, place.tensor});
  if (!param && !fills_block(array)) throw Refusal("layout", place);
  expect_aligned(array, place, flags);
}

void expect_codes(const py::array& array, Codes codes, Place place, const py::array& param) {
  const bool are_halves = codes == Codes::halves;
  if (!(are_halves ? has_type<uint16_t>(array) : has_type<uint8_t>(array))) {
    throw Refusal("codes", place, place, are_halves ? "uint16" : "uint8");
  }
  if (codes == Codes::exponents) {
    const bool fits = array.ndim() == 1 && array.shape(0) == blocks(param.size());
    if (!fits || !(array.flags() & Flags::NPY_ARRAY_C_CONTIGUOUS_)) {
      throw Refusal("exponents", place, {param_role, place.tensor}, std::to_string(blocks(param.size())));
    }
  } else {
    expect_shape(array, param, place);
    if (!has_order_of(param, array)) throw Refusal("layout", place, {param_role, place.tensor});
  }
  expect_aligned(array, place, to_write);
}

void expect_shape(const py::array& array, const py::array& param, Place place) {
  if (!has_same_shape(array, param)) throw Refusal("shape", place, {param_role, place.tensor});
}

py::object owner_of(const py::array& array) {
  py::object owner = array.base();
  if (!owner || !py::isinstance<py::array>(owner)) return {};
  for (;;) {
    const py::object next = py::reinterpret_borrow<py::array>(owner).base();
    if (!next || !py::isinstance<py::array>(next)) return owner;
    owner = next;
  }
}

}  // namespace fastadam
