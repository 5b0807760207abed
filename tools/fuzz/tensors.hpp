// Calls of the C interface for tensors that are stepped together.
#pragma once

#include "inputs.hpp"

namespace {

struct Made {
  ~Made() { api->tensors_free(tensors); }

  fastadam_tensors* tensors = nullptr;
  std::vector<Rule> rules;  // of each group
  std::vector<int64_t> counts;
  std::vector<Tensor> members;
  int64_t skipped = 0;
};

class TensorCalls : public Inputs {
 public:
  using Inputs::Inputs;

 protected:
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

 private:
  std::unique_ptr<Made> made_;
};

}  // namespace
