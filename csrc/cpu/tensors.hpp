// Groups of tensors that are stepped together: their memory, the rule of each group and their step counts.
#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "../memory.hpp"
#include "../rule.hpp"
#include "../step_options.hpp"
#include "kernels.hpp"

namespace fastadam {

// Leaves gradients as they are.
constexpr StepOptions as_given{1, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity(), false,
                               false};

class Tensors {
 public:
  // The number of tensors in each group. Tensors are added group by group.
  explicit Tensors(const std::vector<size_t>& group_sizes) : group_sizes_(group_sizes) {}

  // Adds a tensor of `size` elements that has taken `steps` steps. Its states are the rule's and then, if there is one, the
  // average of the parameter.
  void add(float* param, const std::vector<float*>& states, int64_t size, int64_t steps = 0);

  // Call this once, after the last add(), with a rule for each group. Throws Refusal("overlap") if two arrays share memory.
  void seal(std::vector<Rule> rules);

  // Sets the rule of each group for the following steps.
  void set_rules(std::vector<Rule> rules);

  size_t count() const { return tensors_.size(); }

  // The step count of each tensor, and how many steps skip_nonfinite has skipped. Their addresses are fixed once sealed.
  int64_t* steps() { return steps_.data(); }
  int64_t* skips() { return &skips_; }
  int64_t skipped() const { return skips_; }

  // One step of every tensor that has a gradient, in place; grads[i] has the size of tensor i. Adds one to its step count, or
  // only to `skips` if the step is skipped. Returns the norm if the options ask for it. Throws Refusal and writes nothing if a
  // gradient overlaps a parameter or state, or a step count is out of range.
  std::optional<double> step(const std::vector<std::optional<const float*>>& grads, const StepOptions& options, int threads);

 private:
  struct Tensor {
    float* param;
    float* states[max_states + 1];
    int state_count;
    int64_t size;
  };

  std::vector<size_t> group_sizes_;
  std::vector<Rule> rules_;
  std::vector<Tensor> tensors_;
  std::vector<int64_t> steps_;
  int64_t skips_ = 0;
  OwnedMemory owned_;
};

}  // namespace fastadam
