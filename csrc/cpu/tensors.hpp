// A list of tensors that are stepped together: where their memory is, and that none of it overlaps.
#pragma once

#include <cstddef>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "../rule.hpp"
#include "tier.hpp"

namespace fastadam {

// An array of a tensor: its role is 0 for the parameter, 1 for the gradient, 2 + k for state k.
struct Place {
  int role;
  size_t tensor;
};

constexpr int param_role = 0, grad_role = 1, state_role = 2;

// Why arrays cannot be used. Python words the message; `reason` is its key there.
struct Refusal : std::exception {
  std::string reason;
  Place place, other;

  Refusal(std::string why, Place where, Place also) : reason(std::move(why)), place(where), other(also) {}
  Refusal(std::string why, Place where) : Refusal(std::move(why), where, where) {}
  const char* what() const noexcept override { return reason.c_str(); }
};

class Tensors {
 public:
  // Adds a tensor of `size` elements; `buffers.grad` is not used.
  void add(const Buffers& buffers, int64_t size, int states);

  // To be called once after the last add(). Throws Refusal("overlap") if two arrays share memory.
  void seal();

  size_t count() const { return tensors_.size(); }

  // One step of every tensor, in place; grads[i] has the size of tensor i. steps[i], the steps taken so far, is advanced.
  // Throws Refusal, having written nothing, if a gradient overlaps a parameter or state or a step count is unusable.
  void step(const Rule& rule, const std::vector<const float*>& grads, int64_t* steps, int threads) const;

 private:
  struct Tensor {
    Buffers buffers;
    int64_t size;
  };
  struct Interval {
    const float *begin, *end;
    Place place;
  };

  std::vector<Tensor> tensors_;
  std::vector<Interval> owned_;  // memory of parameters and states, sorted by address once sealed
};

}  // namespace fastadam
