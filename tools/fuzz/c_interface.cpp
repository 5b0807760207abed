// Calls of the C interface in any order and with any arguments, but those for which C has no answer: addresses of no memory,
// and sizes that memory does not have. A call is refused exactly if it should be, and then has changed nothing; otherwise
// memory is what the model says, outside the arrays too.
#include "tensors.hpp"

namespace {

class Session : public TensorCalls {
 public:
  using TensorCalls::TensorCalls;

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
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Session(data, size).run();
  return 0;
}
