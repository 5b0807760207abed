// A list of tensors that are stepped together: where their memory is, and that none of it overlaps.
#pragma once

#include <vector>

#include "../memory.hpp"
#include "../rule.hpp"
#include "tier.hpp"

namespace fastadam {

class Tensors {
 public:
  // Adds a tensor of `size` elements; `buffers.grad` is not used.
  void add(const Buffers& buffers, int64_t size, int states);

  // To be called once after the last add(). Throws Refusal("overlap") if two arrays share memory.
  void seal() { owned_.seal(); }

  size_t count() const { return tensors_.size(); }

  // One step of every tensor, in place; grads[i] has the size of tensor i. steps[i], the steps taken so far, is advanced.
  // Throws Refusal, having written nothing, if a gradient overlaps a parameter or state or a step count is unusable.
  void step(const Rule& rule, const std::vector<const float*>& grads, int64_t* steps, int threads) const;

 private:
  struct Tensor {
    Buffers buffers;
    int64_t size;
  };

  std::vector<Tensor> tensors_;
  OwnedMemory owned_;
};

}  // namespace fastadam
