// Groups of tensors that are stepped together: where their memory is, and that none of it overlaps.
#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "../memory.hpp"
#include "../rule.hpp"
#include "tier.hpp"

namespace fastadam {

// What a step does to gradients before its rules see them, as in fastadam/backends/protocol.py.
struct GradientOptions {
  double grad_scale = 1, clip_value = std::numeric_limits<double>::infinity();
  std::optional<double> max_norm = {};
  bool skip_nonfinite = false;

  bool needs_norm() const { return max_norm || skip_nonfinite; }
};

class Tensors {
 public:
  // How many tensors, in the order in which they are added, each group has.
  explicit Tensors(const std::vector<size_t>& group_sizes) : group_sizes_(group_sizes) {}

  // Adds a tensor of `size` elements. Its states are a rule's and then, where one is kept, the average of the parameter.
  void add(float* param, const std::vector<float*>& states, int64_t size);

  // To be called once after the last add(). Throws Refusal("overlap") if two arrays share memory.
  void seal();

  size_t count() const { return tensors_.size(); }
  size_t group_count() const { return group_sizes_.size(); }

  // One step of every tensor that has a gradient, in place; grads[i] has the size of tensor i. There is a rule for each group.
  // steps[i], the steps that tensor i has taken so far, is advanced. Returns the norm if the options need it; a step that they
  // skip only adds one to *skips. Throws Refusal, having written nothing, if a gradient overlaps a parameter or state or a
  // step count is unusable.
  std::optional<double> step(const std::vector<const Rule*>& rules, const std::vector<std::optional<const float*>>& grads,
                             int64_t* steps, int64_t* skips, const GradientOptions& options, int threads) const;

 private:
  struct Tensor {
    float* param;
    float* states[max_states + 1];
    int state_count;
    int64_t size;
  };

  std::vector<size_t> group_sizes_;
  std::vector<Tensor> tensors_;
  OwnedMemory owned_;
};

}  // namespace fastadam
