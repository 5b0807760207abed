// A rule chosen at run time with the options a user gave it: the host side of csrc/rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fastadam {

enum class RuleId;

// What one step needs of a rule, or of another struct of csrc/rules: its bytes.
struct Coefficients {
  alignas(16) unsigned char bytes[64];
  size_t size;

  template <class Struct>
  static Coefficients of(const Struct& source) {
    static_assert(sizeof(Struct) <= sizeof bytes && std::is_trivially_copyable_v<Struct>);
    Coefficients coefficients{};  // no stray bytes: they may travel to a device
    std::memcpy(coefficients.bytes, &source, sizeof source);
    coefficients.size = sizeof source;
    return coefficients;
  }
};

// What the registry knows of a rule.
struct RuleInfo {
  RuleId id;
  std::string name;
  std::string type_name;             // of its C++ struct
  std::vector<std::string> options;  // real-valued, in the order of the rule's Option enum
  std::vector<std::string> flags;    // flag k is bit k
  bool may_decouple;                 // whether its weight decay may be either coupled or decoupled
  int (*state_count)(unsigned flags);
  Coefficients (*at_step)(const double* options, unsigned flags, int64_t step);
};

// Every rule of this build.
const std::vector<RuleInfo>& rules();

// For each rule that csrc/cuda compiles, the name of its struct and how many combinations of flags it has.
std::map<std::string, unsigned> cuda_variants();

struct Rule {
  const RuleInfo* info;
  std::vector<double> options;
  unsigned flags;
  std::optional<double> ema_decay;  // of the average of the parameter, if one is kept

  int state_count() const { return info->state_count(flags); }

  // The coefficients of step `step` >= 1, computed in the default floating-point environment.
  Coefficients at_step(int64_t step) const;

  // Those of the average; needs an `ema_decay`.
  Coefficients average_at_step(int64_t step) const;
};

// Options by the names that users know: real-valued ones, flags (0 or 1, and 0 where they are not given), and for some rules
// "decoupled_weight_decay". What else a rule of csrc/rules calls a flag follows from them.
using NamedOptions = std::map<std::string, double, std::less<>>;

// Throws std::invalid_argument if there is no such rule or its options do not fit.
Rule make_rule(const std::string& name, const NamedOptions& options, std::optional<double> ema_decay = std::nullopt);

// Throws std::invalid_argument unless an option, other than a flag, may have this value.
void expect_in_range(std::string_view option, double value);

}  // namespace fastadam
