// NumPy arrays, and objects that export their memory to NumPy, as memory for the kernels.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "cpu/tensors.hpp"
#include "elements.hpp"
#include "instances.hpp"
#include "schedules.hpp"
#include "torch/versions.hpp"

namespace fastadam {

// Tensors whose memory belongs to arrays, which it keeps alive.
class ArrayTensors {
 public:
  // fastadam.backends.protocol documents the functions. `steps` are the initial step counts, one for each tensor.
  ArrayTensors(const pybind11::sequence& params, const pybind11::sequence& states, const std::vector<size_t>& group_sizes,
               std::vector<Rule> rules, const std::vector<int64_t>& steps);

  void set_rules(std::vector<Rule> rules) {
    const Tensors::Turn turn(tensors_);
    tensors_.set_rules(std::move(rules));
  }

  int64_t step_count() const { return tensors_.step_count(); }
  void set_step_count(int64_t count) {
    const Tensors::Turn turn(tensors_);
    tensors_.set_step_count(count);
  }

  Turns& turns() { return tensors_; }

  // Views, which keep `self`, the Python object that owns this one, alive.
  pybind11::array steps(const pybind11::object& self);
  pybind11::array skips(const pybind11::object& self);

  // `asked` is what the schedules of the step said: the step_count that they were asked with, the Schedules and their values.
  // Releases the GIL while the kernels run.
  std::optional<double> step(const pybind11::sequence& grads, const StepOptions& options, int threads,
                             const std::optional<pybind11::tuple>& asked);

 private:
  struct Owned {
    pybind11::array array;
    Codes codes;
    Format format;  // of its elements
    void* memory;
    pybind11::ssize_t size;
    Place place;
    pybind11::object owner;     // the NumPy array that it is a view of, which can be resized; else null
    pybind11::object exporter;  // of another library: asked at each step where its memory is; else null
    // Of exporters like PyTorch's tensors, which are asked by these in a fiftieth of the time of an export; else null.
    pybind11::object data_ptr, numel, dtype;

    // Whether its exporter says by them that nothing has changed.
    bool is_unmoved() const;
    // Whether its owner, if it has one, still has its memory.
    bool is_owned() const;
  };

  // Returns the memory of an array. Throws Refusal unless a step can update it.
  void* own(const pybind11::object& object, Place place, Codes codes = Codes::none);

  // The arrays of a tensor whose parameter is own already, with those of `states`.
  TensorArrays arrays_of(const Rule& rule, size_t tensor, const pybind11::sequence& states);

  void expect_updatable(const pybind11::array& array, Place place, Codes codes) const;
  const pybind11::array& param(size_t tensor) const { return owned_[params_[tensor]].array; }
  // The parameter that an array is to have the order of; null if it is one itself.
  const pybind11::array* param_of(Place place) const { return place.role == param_role ? nullptr : &param(place.tensor); }

  Tensors tensors_;
  std::vector<Rule> next_rules_;  // of a step with schedules, until it is done; then the rules before it
  TensorVersions versions_;
  std::vector<Owned> owned_;
  std::vector<size_t> params_;  // their indices in owned_
};

// The Euclidean norm of all elements of the arrays that are not None, which have one type. Releases the GIL.
double norm_of_arrays(const pybind11::sequence& grads, int threads);

// The part of a norm (cpu/norm_parts.hpp) that these arrays are: each has the elements from element begins[i] of sizes[i] on.
// Throws Refusal("part") if one has more, and Refusal("complex"). Releases the GIL.
pybind11::bytes norm_part_of_arrays(const pybind11::sequence& grads, const std::vector<int64_t>& begins,
                                    const std::vector<int64_t>& sizes, double scale, int threads);

// The norm that parts are of together, or None and the scale to make them with. Releases the GIL.
std::pair<std::optional<double>, double> combined_norm_of(const std::vector<pybind11::buffer>& parts, double scale);

}  // namespace fastadam

template <>
class pybind11::detail::type_caster<fastadam::ArrayTensors> : public fastadam::InitializedCaster<fastadam::ArrayTensors> {};
