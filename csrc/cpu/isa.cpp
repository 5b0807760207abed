#include "isa.hpp"

#include <atomic>
#include <stdexcept>

#include "cpu_level.hpp"

namespace fastadam {

// CMake writes tiers.inc: FASTADAM_TIER(function, "name", x86-64 level) for each tier it compiles, best first.
#define FASTADAM_TIER(function, name, level) extern "C" const Loops* function();
#include "tiers.inc"
#undef FASTADAM_TIER

namespace {

struct Tier {
  const char* name;
  int level;
  const Loops* (*loops)();
};

constexpr Tier tiers[] = {
#define FASTADAM_TIER(function, name, level) {name, level, function},
#include "tiers.inc"
#undef FASTADAM_TIER
};

bool available(const Tier& tier) { return tier.level <= cpu_level(); }

const Tier* best_tier() {
  for (const Tier& tier : tiers) {
    if (available(tier)) return &tier;
  }
  return nullptr;  // not reached: the baseline has level 0
}

std::atomic<const Tier*>& active() {
  static std::atomic<const Tier*> tier{best_tier()};
  return tier;
}

std::vector<std::string> names(bool (*wanted)(const Tier&)) {
  std::vector<std::string> result;
  for (const Tier& tier : tiers) {
    if (wanted(tier)) result.emplace_back(tier.name);
  }
  return result;
}

}  // namespace

std::vector<std::string> compiled_isas() {
  return names([](const Tier&) { return true; });
}

std::vector<std::string> available_isas() { return names(available); }

const char* active_isa() { return active().load()->name; }

void set_isa(const std::string& name) {
  std::string choices;
  for (const Tier& tier : tiers) {
    if (!available(tier)) continue;
    if (name == tier.name) return active().store(&tier);
    choices += std::string(choices.empty() ? "'" : ", '") + tier.name + "'";
  }
  throw std::invalid_argument("FASTADAM_ISA: '" + name +
                              "' is not an instruction set that this build has and this CPU supports; available: " + choices +
                              "; unset FASTADAM_ISA to use the best one");
}

const Loops& active_loops() { return *active().load(std::memory_order_relaxed)->loops(); }

}  // namespace fastadam
