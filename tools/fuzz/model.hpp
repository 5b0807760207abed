// What calls of the C interface must do, said in another way: which arrays they must refuse, and steps of a few elements at a
// time on one thread, by the kernels of the baseline instruction set.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "fastadam.h"

namespace model {

extern const fastadam_api* const api;

// Ends the process, with a report, unless it holds.
void expect(bool holds, const char* what);

// A rule and what it was made from, so that it can be made again.
class Rule {
 public:
  Rule() = default;
  Rule(std::string name, std::vector<std::pair<std::string, double>> options);  // may fail, as the library's does
  Rule(const Rule& other) : Rule(other.name_, other.options_) {}
  Rule(Rule&& other) noexcept { swap(other); }
  Rule& operator=(Rule other) noexcept {
    swap(other);
    return *this;
  }
  ~Rule() { api->rule_free(rule); }

  bool set(const std::string& option, double value);
  int states() const { return api->rule_state_count(rule); }

  fastadam_rule* rule = nullptr;

 private:
  void swap(Rule& other) noexcept {
    std::swap(rule, other.rule);
    name_.swap(other.name_);
    options_.swap(other.options_);
  }

  std::string name_;
  std::vector<std::pair<std::string, double>> options_;
};

// One block of memory that has every array that is written to: arrays are where a test says, and may overlap.
using Block = std::vector<float>;

// An array of a block, by the number of its first element, or an address that is none.
struct Array {
  enum Kind { inside, null, misaligned } kind = inside;
  int64_t offset = 0;

  float* in(Block& block) const;
};

// The arrays of a tensor. The gradient is not written to.
struct Tensor {
  int64_t size = 0, steps = 0;
  Array param;
  std::vector<Array> states;
};

// Whether the library must refuse arrays of so many elements: sizes, addresses and overlaps.
bool is_usable(const Array& array, int64_t size);
bool overlaps(const Array& a, int64_t a_size, const Array& b, int64_t b_size);
bool are_apart(const std::vector<Tensor>& tensors);

// One step of a tensor, from gradients that lie elsewhere.
void step(const Rule& rule, Block& block, const Tensor& tensor, const std::vector<float>& grad, int64_t number);

// Gradients as a step uses them.
std::vector<float> transformed(const std::vector<float>& grad, float scale, double limit);

bool are_same(const Block& a, const Block& b);

}  // namespace model
