// A rule chosen at run time with the options a user gave it: the host side of csrc/rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace fastadam {

enum class RuleId;

// The coefficients of one step of any rule: the bytes of its struct.
struct Coefficients {
  alignas(16) unsigned char bytes[64];
};

// What the registry knows of a rule.
struct RuleInfo {
  RuleId id;
  std::string name;
  std::string type_name;             // of its C++ struct
  size_t size;                       // of that struct, in bytes
  std::vector<std::string> options;  // real-valued, in the order of the rule's Option enum
  std::vector<std::string> flags;    // flag k is bit k
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

  int state_count() const { return info->state_count(flags); }

  // The coefficients of step `step` >= 1, computed in the default floating-point environment.
  Coefficients at_step(int64_t step) const;
};

}  // namespace fastadam
