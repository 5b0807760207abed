// Calls of the C interface in any order and with any arguments, but those for which C has no answer: addresses of no memory,
// and sizes that memory does not have. A call is refused exactly if it should be, and then has changed nothing; otherwise
// memory is what the model says, outside the arrays too.
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
const std::string rule_names[] = {"adam", "sgd", "adagrad", "rmsprop", "adamax", "nadam", "radam", "lion", "adan", ""};
const char* const required[][6] = {{"lr", "beta1", "beta2", "eps", "weight_decay"},
                                   {"lr", "momentum", "dampening", "weight_decay"},
                                   {"lr", "lr_decay", "eps", "weight_decay"},
                                   {"lr", "alpha", "eps", "weight_decay", "momentum"},
                                   {"lr", "beta1", "beta2", "eps", "weight_decay"},
                                   {"lr", "beta1", "beta2", "eps", "weight_decay", "momentum_decay"},
                                   {"lr", "beta1", "beta2", "eps", "weight_decay"},
                                   {"lr", "beta1", "beta2", "weight_decay"},
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

struct Made {
  ~Made() { api->tensors_free(tensors); }

  fastadam_tensors* tensors = nullptr;
  std::vector<Rule> rules;  // of each group
  std::vector<int64_t> counts;
  std::vector<Tensor> members;
  int64_t skipped = 0;
};

class Session {
 public:
  Session(const uint8_t* data, size_t size) : in_(data, size), values_(in_.ConsumeIntegral<uint16_t>()) {
    for (float& x : block_) x = value();
    const std::vector<std::string> isas = fastadam::available_isas();
    fastadam::set_isa(isas[in_.ConsumeIntegral<uint8_t>() % isas.size()]);
    fastadam::set_grain(in_.ConsumeIntegralInRange(1, 100));
    fastadam::set_backs_off(false);
  }

  void run() {
    for (int calls = 0; calls < 16 && in_.remaining_bytes() > 0; ++calls) {
      switch (in_.ConsumeIntegralInRange(0, 8)) {
        case 0:
          rules_.push_back(new_rule());
          break;
        case 1:
          set_rule();
          break;
        case 2:
          step_rule();
          break;
        case 3:
          step_adam();
          break;
        case 4:
          find_norm();
          break;
        case 5:
          init_states();
          break;
        case 6:
          make_tensors();
          break;
        case 7:
          step_tensors();
          break;
        case 8:
          change_tensors();
          break;
      }
    }
  }

 private:
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

  void step_rule() {
    const Rule& rule = some_rule();
    cursor_ = 0;
    const int states = std::max(rule.states(), 0);
    const Tensor stepped = tensor(states);
    const Grad given = grad(stepped.size);
    const int64_t number = step_number();
    const int threads = thread_count();
    const bool has_states = !rarely();
    std::vector<float*> pointers;
    for (const Array& state : stepped.states) pointers.push_back(state.in(block_));
    bool accepted = rule.rule && number >= 1 && threads >= 0 && (has_states || states == 0) && is_usable_tensor(stepped) &&
                    is_usable(given.array, stepped.size) && are_apart({stepped});
    accepted = accepted && apart(given, stepped.size, {stepped});
    Block expected = block_;
    if (accepted) step(rule, expected, stepped, copy(given, stepped.size), number);
    const int status = api->rule_step(rule.rule, stepped.param.in(block_), given.pointer,
                                      has_states ? pointers.data() : nullptr, stepped.size, number, threads);
    expect_status(status, accepted, expected, "rule_step");
  }

  static bool apart(const Grad& grad, int64_t size, const std::vector<Tensor>& tensors) {
    return std::none_of(tensors.begin(), tensors.end(), [&](const Tensor& tensor) {
      return overlaps(grad.array, size, tensor.param, tensor.size) ||
             std::any_of(tensor.states.begin(), tensor.states.end(),
                         [&](const Array& state) { return overlaps(grad.array, size, state, tensor.size); });
    });
  }

  void step_adam() {
    const fastadam_adam_options options = {number(), number(),          number(),         number(),
                                           number(), in_.ConsumeBool(), in_.ConsumeBool()};
    cursor_ = 0;
    Tensor stepped = tensor(2 + in_.ConsumeBool());
    if (stepped.states.size() == 3 && stepped.states[2].kind == Array::null) stepped.states.pop_back();
    const bool amsgrad = stepped.states.size() == 3;
    const Rule rule("adam", {{"lr", options.lr},
                             {"beta1", options.beta1},
                             {"beta2", options.beta2},
                             {"eps", options.eps},
                             {"weight_decay", options.weight_decay},
                             {"amsgrad", amsgrad},
                             {"decoupled_weight_decay", options.decoupled_weight_decay},
                             {"maximize", options.maximize}});
    const Grad given = grad(stepped.size);
    const int64_t number = step_number();
    const int threads = thread_count();
    const bool accepted = rule.rule && number >= 1 && threads >= 0 && is_usable_tensor(stepped) &&
                          is_usable(given.array, stepped.size) && are_apart({stepped}) && apart(given, stepped.size, {stepped});
    Block expected = block_;
    if (accepted) step(rule, expected, stepped, copy(given, stepped.size), number);
    float* const max_exp_avg_sq = amsgrad ? stepped.states[2].in(block_) : nullptr;
    const int status = api->adam_step(stepped.param.in(block_), given.pointer, stepped.states[0].in(block_),
                                      stepped.states[1].in(block_), max_exp_avg_sq, stepped.size, number, &options, threads);
    expect_status(status, accepted, expected, "adam_step");
  }

  void find_norm() {
    cursor_ = 0;
    std::vector<const float*> pointers;
    std::vector<int64_t> sizes;
    const int threads = thread_count();
    bool accepted = threads >= 0;
    double sum = 0;
    for (int k = in_.ConsumeIntegralInRange(0, 4); k > 0; --k) {
      sizes.push_back(size());
      const Array array = this->array(sizes.back());
      pointers.push_back(array.in(block_));
      accepted = accepted && is_usable(array, sizes.back());
      for (int64_t i = 0; accepted && i < sizes.back(); ++i) sum += std::pow(static_cast<double>(pointers.back()[i]), 2);
    }
    const Block expected = block_;
    double norm = -1;
    const int status = api->global_norm(pointers.data(), sizes.data(), static_cast<int64_t>(sizes.size()), threads, &norm);
    expect_status(status, accepted, expected, "global_norm");
    const double right = std::sqrt(sum);
    expect(accepted ? std::abs(norm - right) <= 1e-12 * right || !std::isfinite(right) : norm == -1, "another norm");
    expect(!accepted || std::isfinite(norm) == std::isfinite(right), "a norm that is not finite");
  }

  void init_states() {
    const Rule& rule = some_rule();
    cursor_ = 0;
    const Tensor made = tensor(std::max(rule.states(), 0));
    if (!are_apart({made})) return;
    std::vector<float*> pointers;
    for (const Array& state : made.states) pointers.push_back(state.in(block_));
    const bool accepted =
        rule.rule && (made.states.empty() || std::all_of(made.states.begin(), made.states.end(),
                                                         [&](const Array& a) { return is_usable(a, made.size); }));
    Block expected = block_;
    const int status = api->rule_init_states(rule.rule, nullptr, pointers.data(), made.size);
    for (size_t k = 0; accepted && k < pointers.size(); ++k) {
      // Of one value, which only Adagrad can choose.
      for (int64_t i = 0; i < made.size; ++i) made.states[k].in(expected)[i] = pointers[k][0];
      expect(made.size == 0 || pointers[k][0] >= 0, "a state that does not begin with zeros");
    }
    expect_status(status, accepted, expected, "rule_init_states");
  }

  void make_tensors() {
    auto made = std::make_unique<Made>();
    cursor_ = 0;
    bool accepted = true;
    for (int groups = in_.ConsumeIntegralInRange(0, 3); groups > 0; --groups) {
      made->rules.push_back(some_rule());
      made->counts.push_back(in_.ConsumeIntegralInRange(0, 3));
      accepted = accepted && made->rules.back().rule;
      for (int64_t k = 0; k < made->counts.back(); ++k) {
        made->members.push_back(tensor(std::max(made->rules.back().states(), 0)));
        made->members.back().steps = rarely() ? step_number() : in_.ConsumeIntegralInRange<int64_t>(0, 3);
        accepted = accepted && is_usable_tensor(made->members.back());
      }
    }
    accepted = accepted && are_apart(made->members);
    std::vector<std::vector<float*>> states;
    std::vector<fastadam_tensor> tensors;
    for (const Tensor& member : made->members) {
      states.emplace_back();
      for (const Array& state : member.states) states.back().push_back(state.in(block_));
      tensors.push_back({member.param.in(block_), states.back().data(), member.size, member.steps});
    }
    std::vector<fastadam_group> groups;
    for (size_t g = 0, first = 0; g < made->rules.size(); first += static_cast<size_t>(made->counts[g++])) {
      groups.push_back({made->rules[g].rule, tensors.data() + first, made->counts[g]});
    }
    const Block expected = block_;
    made->tensors = api->tensors_new(groups.data(), static_cast<int64_t>(groups.size()));
    expect_status(made->tensors ? FASTADAM_OK : FASTADAM_INVALID, accepted, expected, "tensors_new");
    if (accepted) made_ = std::move(made);
  }

  void step_tensors() {
    if (!made_) make_tensors();
    if (!made_) return;
    const bool has_options = in_.ConsumeBool(), wants_norm = in_.ConsumeBool();
    fastadam_step_options options = FASTADAM_STEP_DEFAULTS;
    if (has_options) {
      options = {in_.ConsumeBool() ? 1 : number(), in_.ConsumeBool() ? 0 : number(), in_.ConsumeBool() ? 0 : number(),
                 rarely() ? 2 : in_.ConsumeBool()};
    }
    const int threads = thread_count();
    bool accepted = threads >= 0;
    // Halfway between the largest float32 and the power of two above it.
    accepted = accepted && std::abs(options.grad_scale) < 0x1.ffffffp127 && options.clip_value >= 0 && options.max_norm >= 0 &&
               options.skip_nonfinite < 2;
    std::vector<Grad> grads;
    std::vector<const float*> pointers;
    for (const Tensor& member : made_->members) {
      grads.push_back(grad(member.size));
      if (rarely()) grads.back() = {nullptr, {Array::null}, nullptr};
      pointers.push_back(grads.back().pointer);
      if (!is_given(grads.back(), member)) continue;
      accepted = accepted && grads.back().array.kind != Array::misaligned && apart(grads.back(), member.size, made_->members) &&
                 member.steps >= 0 && member.steps < INT64_MAX;
    }
    Block expected = block_;
    std::vector<Tensor> members = made_->members;
    double expected_norm = -1;
    int64_t skipped = made_->skipped;
    if (accepted) expected_norm = take_step(expected, members, grads, options, skipped, has_options || wants_norm);
    double norm = -1;
    const int status = api->tensors_step(made_->tensors, pointers.data(), has_options ? &options : nullptr, threads,
                                         wants_norm ? &norm : nullptr);
    expect_status(status, accepted, expected, "tensors_step");
    expect(!wants_norm || are_same_numbers(norm, expected_norm), "another norm");
    if (accepted) {
      made_->members = members;
      made_->skipped = skipped;
    }
    for (size_t i = 0; i < members.size(); ++i) {
      expect(api->tensors_steps(made_->tensors)[i] == made_->members[i].steps, "another step count");
    }
    expect(api->tensors_skipped(made_->tensors) == made_->skipped, "another count of skipped steps");
  }

  static bool is_given(const Grad& grad, const Tensor& tensor) { return grad.pointer || tensor.size == 0; }

  static bool are_same_numbers(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

  // The step as the model takes it; returns the norm.
  double take_step(Block& expected, std::vector<Tensor>& members, const std::vector<Grad>& grads,
                   const fastadam_step_options& options, int64_t& skipped, bool may_find_norm) {
    std::vector<const float*> pointers;
    std::vector<int64_t> sizes;
    for (size_t i = 0; i < members.size(); ++i) {
      if (!grads[i].pointer || members[i].size == 0) continue;
      pointers.push_back(grads[i].pointer);
      sizes.push_back(members[i].size);
    }
    double norm = 0;
    api->global_norm(pointers.data(), sizes.data(), static_cast<int64_t>(sizes.size()), 1, &norm);
    norm *= std::abs(options.grad_scale);
    const double max_norm = options.max_norm == 0 ? infinity : options.max_norm;
    if (may_find_norm && options.skip_nonfinite && !std::isfinite(norm)) {
      ++skipped;
      return norm;
    }
    const bool is_within = norm < max_norm || max_norm == infinity;
    const auto scale = static_cast<float>(is_within ? options.grad_scale : options.grad_scale * (max_norm / norm));
    size_t i = 0;
    for (size_t g = 0; g < made_->rules.size(); ++g) {
      for (int64_t k = 0; k < made_->counts[g]; ++k, ++i) {
        if (!is_given(grads[i], members[i])) continue;
        const std::vector<float> used =
            transformed(copy(grads[i], members[i].size), scale, options.clip_value == 0 ? infinity : options.clip_value);
        step(made_->rules[g], expected, members[i], used, ++members[i].steps);
      }
    }
    return norm;
  }

  void change_tensors() {
    if (!made_ || made_->rules.empty()) return;
    const auto group = in_.ConsumeIntegralInRange<int64_t>(-1, static_cast<int64_t>(made_->rules.size()));
    const Rule& rule = some_rule();
    const int status = api->tensors_set_rule(made_->tensors, group, rule.rule);
    expect(status == FASTADAM_OK || *api->error(), "gave no reason");
    if (status == FASTADAM_OK) {
      expect(group >= 0 && group < static_cast<int64_t>(made_->rules.size()) && rule.rule &&
                 rule.states() == made_->rules[static_cast<size_t>(group)].states(),
             "accepted a rule with other states");
      made_->rules[static_cast<size_t>(group)] = rule;
    }
    if (!made_->members.empty() && in_.ConsumeBool()) {
      const size_t i = in_.ConsumeIntegralInRange<size_t>(0, made_->members.size() - 1);
      api->tensors_steps(made_->tensors)[i] = made_->members[i].steps = step_number();
    }
  }

  FuzzedDataProvider in_;
  std::minstd_rand values_;
  Block block_ = Block(block_size);
  int64_t cursor_ = 0;
  std::vector<Rule> rules_;
  std::unique_ptr<Made> made_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Session(data, size).run();
  return 0;
}
