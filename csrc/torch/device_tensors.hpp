// The parameters of a step that are on one device and of one type, and what steps them: the kernels of this process, or
// launches on a GPU, which fastadam.torch.on_gpu prepares.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "../cpu/tensors.hpp"
#include "../memory.hpp"
#include "groups.hpp"
#include "members.hpp"

namespace fastadam {

// Keeps no tensor alive from one step to the next: what it remembers are the addresses of the last step, so that it need not
// sort and compare them again while they are the same.
class DeviceTensors {
 public:
  // `gpu` is a GpuSteps of fastadam.torch.on_gpu; null for the CPU. None for a GPU that cannot be used.
  explicit DeviceTensors(DType dtype, pybind11::object gpu = {}) : dtype_(dtype), gpu_(std::move(gpu)) {}

  bool is_usable() const { return !gpu_ || !gpu_.is_none(); }

  // Begins a step without parameters.
  void begin(size_t group_count);
  // Whether the last step had this parameter where the next one to be added will be.
  bool has_next(const void* param) const {
    return arrays_.size() < last_arrays_.size() && last_arrays_[arrays_.size()].param == param;
  }
  void add(const TorchArrays& arrays, const TorchMember& member);
  const std::vector<TorchMember>& members() const { return members_; }

  // Makes what steps them anew if the arrays are not those of the last step. Throws Refusal if two share memory.
  void settle(const std::vector<GroupRule>& rules);
  // Throws Refusal if a gradient shares memory with them.
  void expect_apart() const;

  // On the CPU: steps them, and returns the norm if the options ask for it. Releases the GIL. Throws as expect_apart does, and
  // then changes nothing.
  std::optional<double> step(const StepOptions& options, int threads);

  // On a GPU: an object of Python with the launches, and as its attribute `norm` the norm there or None.
  pybind11::object prepare(const std::vector<GroupRule>& rules, const StepOptions& options) const;
  // Makes all the launches of a list of such objects, and then calls `done`, without a look at signals in between.
  void launch(const std::vector<pybind11::object>& prepared, const pybind11::object& done) const;

 private:
  Gradients grads() const;
  std::unique_ptr<Tensors> tensors_on_cpu(const std::vector<GroupRule>& rules) const;
  std::unique_ptr<OwnedMemory> memory_on_gpu() const;

  int64_t bytes_of(const TorchArrays& arrays) const { return arrays.size * size_of(dtype_); }
  // A call for each group that has parameters here.
  template <class Call>
  void for_groups(const std::vector<GroupRule>& rules, const Call& call) const {
    for (size_t g = 0; g < rules.size(); ++g) {
      if (sizes_[g] > 0) call(sizes_[g], rules[g].of(dtype_));
    }
  }

  const DType dtype_;
  pybind11::object gpu_;
  std::vector<TorchMember> members_;
  std::vector<TorchArrays> arrays_, last_arrays_;
  std::vector<size_t> sizes_, last_sizes_;  // how many parameters of each group are stepped
  std::unique_ptr<Tensors> tensors_;        // on the CPU
  std::unique_ptr<OwnedMemory> memory_;     // on a GPU
};

}  // namespace fastadam
