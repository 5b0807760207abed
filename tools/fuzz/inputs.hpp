// What the fuzzer of the C interface makes of its input: numbers, arrays in one block of memory, gradients and rules.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>

#include "cpu/isa.hpp"
#include "cpu/threads.hpp"
#include "model.hpp"

namespace {

using namespace model;

constexpr int64_t block_size = 512;
constexpr double infinity = std::numeric_limits<double>::infinity();
const std::string rule_names[] = {"adam", "sgd", "adagrad", "rmsprop", "adamax", "nadam", "radam", "lion", "adopt", "adan", ""};
const char* const required[][6] = {{"lr", "beta1", "beta2", "eps", "weight_decay"},
                                   {"lr", "momentum", "dampening", "weight_decay"},
                                   {"lr", "lr_decay", "eps", "weight_decay"},
                                   {"lr", "alpha", "eps", "weight_decay", "momentum"},
                                   {"lr", "beta1", "beta2", "eps", "weight_decay"},
                                   {"lr", "beta1", "beta2", "eps", "weight_decay", "momentum_decay"},
                                   {"lr", "beta1", "beta2", "eps", "weight_decay"},
                                   {"lr", "beta1", "beta2", "weight_decay"},
                                   {"lr", "beta1", "beta2", "eps", "weight_decay"},
                                   {"lr"},
                                   {"lr"}};
const char* const flags[] = {"maximize",
                             "ema_decay",
                             "amsgrad",
                             "decoupled_weight_decay",
                             "nesterov",
                             "centered",
                             "initial_accumulator_value",
                             "momentum",
                             "weight_decay",
                             "lr",
                             "",
                             "\xff"};
constexpr double usual[] = {0, 0.5, 0.1, 0.9, 0.999, 1e-3, 1e-8, 0.25};
constexpr double unusual[] = {1,      -1,    -0.0, 2,      infinity, -infinity,  NAN,
                              5e-324, 1e308, 1e39, 3.4e38, 1e-46,    0.99999994, 0.99999998};
constexpr float special[] = {0, -0.0F, 1e-45F, 1e-38F, 3e38F, -3e38F, INFINITY, -INFINITY, NAN, 1};

class Inputs {
 public:
  Inputs(const uint8_t* data, size_t size) : in_(data, size), values_(in_.ConsumeIntegral<uint16_t>()) {
    for (float& x : block_) x = value();
    const std::vector<std::string> isas = fastadam::available_isas();
    fastadam::set_isa(isas[in_.ConsumeIntegral<uint8_t>() % isas.size()]);
    fastadam::set_grain(in_.ConsumeIntegralInRange(1, 100));
    fastadam::set_backs_off(false);
  }

 protected:
  bool rarely() { return in_.ConsumeIntegral<uint8_t>() >= 244; }

  double number() { return rarely() ? in_.PickValueInArray(unusual) : in_.PickValueInArray(usual); }

  float value() {
    const uint32_t bits = values_();
    if (bits % 16 == 0) return special[bits / 16 % std::size(special)];
    return std::ldexp(static_cast<float>(static_cast<int32_t>(bits)), -31 - static_cast<int>(bits % 24));
  }

  int64_t step_number() {
    constexpr int64_t numbers[] = {1, 2, 3, 1000, 1 << 20, INT64_MAX, 0, -1, INT64_MIN};
    return numbers[rarely() ? in_.ConsumeIntegralInRange(0, 8) : in_.ConsumeIntegralInRange(0, 4)];
  }

  int thread_count() { return rarely() ? -1 : in_.ConsumeIntegralInRange(0, 3); }

  int64_t size() {
    constexpr int64_t impossible[] = {-1, INT64_MIN, INT64_MAX, INT64_MAX / 4 + 1};
    if (rarely()) return in_.PickValueInArray(impossible);
    return in_.ConsumeIntegralInRange<int64_t>(0, rarely() ? 160 : 24);
  }

  Array array(int64_t size) {
    if (size < 0 || size > block_size / 2) return {};
    if (rarely()) return {in_.ConsumeBool() ? Array::null : Array::misaligned, 1};
    if (rarely() || cursor_ + size > block_size)
      return {Array::inside, in_.ConsumeIntegralInRange<int64_t>(0, block_size - size)};
    cursor_ += size;
    return {Array::inside, cursor_ - size};
  }

  Tensor tensor(int states) {
    Tensor made{size(), 0, {}, {}};
    made.param = array(made.size);
    for (int k = 0; k < states; ++k) made.states.push_back(array(made.size));
    return made;
  }

  static bool is_usable_tensor(const Tensor& tensor) {
    return is_usable(tensor.param, tensor.size) &&
           std::all_of(tensor.states.begin(), tensor.states.end(), [&](const Array& a) { return is_usable(a, tensor.size); });
  }

  // A gradient in memory of its own, in the block or of another address.
  struct Grad {
    std::unique_ptr<float[]> own;
    Array array;
    const float* pointer = nullptr;
  };

  Grad grad(int64_t size) {
    Grad made;
    if (size < 0 || size > block_size / 2 || rarely()) {
      made.array = rarely() ? Array{Array::misaligned, 1} : array(size);
      made.pointer = made.array.in(block_);
      return made;
    }
    made.own.reset(new float[static_cast<size_t>(size)]);
    for (int64_t i = 0; i < size; ++i) made.own[i] = value();
    made.pointer = made.own.get();
    made.array.offset = INT64_MIN / 2;  // apart from everything
    return made;
  }

  std::vector<float> copy(const Grad& grad, int64_t size) {
    return grad.pointer ? std::vector<float>(grad.pointer, grad.pointer + size) : std::vector<float>();
  }

  void expect_status(int status, bool accepted, const Block& expected, const char* call) {
    expect((status == FASTADAM_OK) == accepted, accepted ? "refused what is right" : "accepted what is wrong");
    expect(accepted || *api->error(), "gave no reason");
    expect(are_same(block_, expected), call);
  }

  Rule new_rule() {
    const size_t kind = rarely() ? in_.ConsumeIntegralInRange<size_t>(8, 9) : in_.ConsumeIntegralInRange<size_t>(0, 7);
    std::vector<std::pair<std::string, double>> options;
    for (const char* name : required[kind]) {
      if (name && !rarely()) options.emplace_back(name, number());
    }
    for (int k = in_.ConsumeIntegralInRange(0, 3); k > 0; --k) {
      const double flag = in_.ConsumeBool() ? 1.0 : number();
      options.emplace_back(rarely() ? in_.ConsumeRandomLengthString(8) : in_.PickValueInArray(flags), flag);
      if (options.back().first == "ema_decay") options.back().second = number();
    }
    return Rule(rule_names[kind], options);
  }

  const Rule& some_rule() {
    if (rules_.empty()) rules_.push_back(new_rule());
    return rules_[in_.ConsumeIntegralInRange<size_t>(0, rules_.size() - 1)];
  }

  void set_rule() {
    auto& rule = const_cast<Rule&>(some_rule());
    const bool done = rule.set(in_.PickValueInArray(flags), number());
    expect(done || *api->error(), "gave no reason");
  }

  static bool apart(const Grad& grad, int64_t size, const std::vector<Tensor>& tensors) {
    return std::none_of(tensors.begin(), tensors.end(), [&](const Tensor& tensor) {
      return overlaps(grad.array, size, tensor.param, tensor.size) ||
             std::any_of(tensor.states.begin(), tensor.states.end(),
                         [&](const Array& state) { return overlaps(grad.array, size, state, tensor.size); });
    });
  }

  FuzzedDataProvider in_;
  std::minstd_rand values_;
  Block block_ = Block(block_size);
  int64_t cursor_ = 0;
  std::vector<Rule> rules_;
};

}  // namespace
