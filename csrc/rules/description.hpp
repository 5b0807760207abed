// How a rule declares its options and its states. Plain data, which the host reads at run time, and no code that another file
// could share.
#pragma once

namespace fastadam {

// The values that an option may have.
enum class Range {
  non_negative,  // a number >= 0 that is finite in the elements' type
  decay_rate,    // a number in [0, 1) that does not round to 1 in it
  finite,        // in it
  flag,          // 0 or 1
};

struct OptionInfo {
  const char* name;
  Range range;
  bool optional = false;  // every flag is
  double if_missing = 0;  // the value of an optional one that is left out

  constexpr bool may_be_missing() const { return optional || range == Range::flag; }
};

struct StateInfo {
  const char* name;
  unsigned flags = 0;                               // the rule has this state if all of these flags are set
  enum Sign { any_sign, squares } sign = any_sign;  // whether its numbers are never negative, which formats may use
  enum Start { zero, option, param } start = zero;
  int start_option = 0;        // the option whose value it starts with, for Start::option
  bool needs_16_bits = false;  // 8 are too few: its error would not average out
};

namespace {

// For flags_of: a flag that is set on a condition.
constexpr unsigned when(bool condition, unsigned flag) { return condition ? flag : 0; }

// For the conflict of rules whose decay may be decoupled: what is wrong with these two flags, or nullptr.
constexpr const char* caution_conflict(double decoupled, double cautious) {
  const bool fits = cautious == 0 || decoupled != 0;
  return fits ? nullptr : "cautious_weight_decay is 1; expected decoupled_weight_decay too";
}

constexpr bool is_kept(const StateInfo& state, unsigned flags) { return (flags & state.flags) == state.flags; }

// How many states a rule has with these flags.
template <class Rule>
constexpr int count_states(unsigned flags) {
  int count = 0;
  for (const StateInfo& state : Rule::states) count += is_kept(state, flags);
  return count;
}

}  // namespace
}  // namespace fastadam
