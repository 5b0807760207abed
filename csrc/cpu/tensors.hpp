// Groups of tensors that are stepped together: their memory, the rule of each group and their step counts.
#pragma once

#include <atomic>
#include <limits>
#include <optional>
#include <vector>

#include "../memory.hpp"
#include "../rule.hpp"
#include "../step_options.hpp"
#include "../turn.hpp"
#include "kernels.hpp"

namespace fastadam {

// The gradient of a tensor: of the tensor's type, or bfloat16 or float16 for one of float32.
struct Gradient {
  const void* memory;
  Format format;
  Gradient(const void* begin, Format stored = Format::real) : memory(begin), format(stored) {}
};

// The gradient of each tensor that has one in a step.
using Gradients = std::vector<std::optional<Gradient>>;

// The arrays of a tensor that a step updates.
struct TensorArrays {
  Stored param;
  Stored copy;                 // if `param` is a copy of it in float32, the parameter, to which it is rounded; else no data
  std::vector<Stored> states;  // the rule's, and then, if there is one, the average of the parameter, which is real
};

// Leaves gradients as they are.
constexpr StepOptions as_given{
    1, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity(), false, false, false};

class Tensors : public Turns {
 public:
  // The number of tensors in each group, and the type of all their elements. Tensors are added group by group.
  explicit Tensors(const std::vector<size_t>& group_sizes, DType dtype = DType::float32)
      : group_sizes_(group_sizes), dtype_(dtype) {}

  // Adds a tensor of `size` elements that has taken `steps` steps. Its states are the rule's and then, if there is one, the
  // average of the parameter.
  void add(void* param, const std::vector<void*>& states, int64_t size, int64_t steps = 0);

  // The same with arrays that are stored in other formats; the elements are float32 then. Refusals number the arrays in the
  // order param, states, each before its `more`, and last what `param` has beside it: its `more`, or if there is a copy,
  // itself.
  void add(const TensorArrays& arrays, int64_t size, int64_t steps);

  // Call this once, after the last add(), with a rule for each group. Throws Refusal("overlap") if two arrays share memory.
  void seal(std::vector<Rule> rules);

  // The rule of each group, and sets it for the following steps.
  const std::vector<Rule>& rules() const { return rules_; }
  void set_rules(std::vector<Rule> rules);

  // The same for one group, by a rule with the same states, without an allocation.
  void set_options(size_t group, const Rule& rule);

  void expect_fit(const std::vector<Rule>& rules) const;

  // Throws Refusal if a gradient overlaps a parameter or state.
  void expect_apart(const Gradients& grads) const;

  size_t count() const { return tensors_.size(); }
  DType dtype() const { return dtype_; }

  // How many steps were called for, with those that were skipped.
  int64_t step_count() const { return step_count_.load(std::memory_order_relaxed); }
  void set_step_count(int64_t count) { step_count_.store(count, std::memory_order_relaxed); }

  // The step count of each tensor, and how many steps skip_nonfinite has skipped. Their addresses are fixed once sealed.
  int64_t* steps() { return steps_.data(); }
  int64_t* skips() { return &skips_; }
  int64_t skipped() const { return skips_; }

  // One step of every tensor that has a gradient, in place; grads[i] has the size of tensor i. Adds one to step_count() and to
  // the tensor's step count, or to `skips` if the step is skipped. If there are `rules`, one for each group, it is by them, and
  // so are the steps that follow. Returns the norm if the options ask for it. Throws Refusal and writes nothing if a gradient
  // overlaps a parameter or state, a step count is out of range, or a gradient is not finite and the options say to raise.
  std::optional<double> step(const Gradients& grads, const StepOptions& options, int threads,
                             std::vector<Rule>* rules = nullptr);

 private:
  void expect_apart(const Gradient& grad, size_t tensor) const;

  // The step is not to be taken because a gradient is not finite: throws Refusal with the place of the first one.
  void throw_nonfinite(const Gradients& grads, const StepOptions& options) const;

  struct Tensor {
    Stored param, copy;
    Stored states[max_states + 1];
    int state_count;
    int64_t size;
    bool is_real;  // all arrays are
  };

  std::vector<size_t> group_sizes_;
  DType dtype_;
  std::vector<Rule> rules_;
  std::vector<Tensor> tensors_;
  std::vector<int64_t> steps_;
  int64_t skips_ = 0;
  std::atomic<int64_t> step_count_{0};  // which other threads may read during a step
  OwnedMemory owned_;
};

}  // namespace fastadam
