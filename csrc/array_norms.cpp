#include <pybind11/stl.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "arrays.hpp"
#include "cpu/norm.hpp"
#include "cpu/norm_parts.hpp"
#include "exported.hpp"
#include "interpreter.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

// The memory of arrays of one type, and of those that are None no elements.
struct ReadArrays {
  std::vector<Array> memory;
  std::vector<py::array> kept;
  DType dtype = DType::float32;

  explicit ReadArrays(const py::tuple& grads, bool may_be_complex = true) {
    bool is_first = true;
    for (size_t i = 0; i < grads.size(); ++i) {
      const py::handle grad = grads[i];
      memory.push_back({});
      if (grad.is_none()) continue;
      const py::array array = as_array(grad, {grad_role, i});
      const std::optional<Elements> elements = elements_of(array);
      if (is_first && elements) dtype = elements->dtype;
      is_first = false;
      if (!may_be_complex && elements && elements->is_complex) throw Refusal("complex", {grad_role, i});
      expect_usable(array, dtype, {grad_role, i}, to_read);
      memory.back() = {array.data(), number_count(array), elements_of(array)->format};
      if (!array.is(grad)) kept.push_back(array);
    }
  }
};

}  // namespace

double norm_of_arrays(const py::sequence& grads, int threads) {
  const auto own_grads = py::tuple(result_of([&] { return PySequence_Tuple(grads.ptr()); }));
  const ReadArrays arrays(own_grads);
  const WithoutGil released;
  return global_norm(arrays.memory, arrays.dtype, threads);
}

py::bytes norm_part_of_arrays(const py::sequence& grads, const std::vector<int64_t>& begins, const std::vector<int64_t>& sizes,
                              double scale, int threads) {
  const auto own_grads = py::tuple(result_of([&] { return PySequence_Tuple(grads.ptr()); }));
  if (begins.size() != own_grads.size() || sizes.size() != own_grads.size()) {
    throw std::invalid_argument("expected a first element and a size for each gradient");
  }
  const ReadArrays arrays(own_grads, false);
  std::vector<Shard> shards;
  for (size_t i = 0; i < own_grads.size(); ++i) {
    const Shard shard{arrays.memory[i], begins[i], sizes[i]};
    if (shard.first < 0 || shard.whole < shard.first || shard.whole - shard.first < shard.array.size) {
      throw Refusal("part", {grad_role, i}, {grad_role, i}, std::to_string(shard.array.size));
    }
    shards.push_back(shard);
  }
  std::string part;
  {
    const WithoutGil released;
    part = norm_part(shards, arrays.dtype, scale, threads);
  }
  return part;
}

std::pair<std::optional<double>, double> combined_norm_of(const std::vector<py::buffer>& parts, double scale) {
  std::vector<py::buffer_info> infos;
  std::vector<std::string_view> bytes;
  for (const py::buffer& part : parts) {
    infos.push_back(part.request());
    const py::buffer_info& info = infos.back();
    bytes.emplace_back(static_cast<const char*>(info.ptr), static_cast<size_t>(info.size * info.itemsize));
  }
  CombinedNorm combined{};
  {
    const WithoutGil released;
    combined = combined_norm(bytes, scale);
  }
  return combined.scale == 0 ? std::pair{std::optional(combined.norm), 0.0}
                             : std::pair{std::optional<double>(), combined.scale};
}

}  // namespace fastadam
