#include "isa.hpp"

#include <atomic>
#include <stdexcept>

#include "x86_level.hpp"

namespace fastadam {

// CMake writes isas.inc: FASTADAM_KERNELS(function, "name", x86-64 level) for each instruction set it compiles for, best first.
// A function's name ends with the type of elements.
#define FASTADAM_KERNELS(function, name, level)   \
  extern "C" const Kernels* function##_float32(); \
  extern "C" const Kernels* function##_float64();
#include "isas.inc"
#undef FASTADAM_KERNELS

namespace {

struct Isa {
  const char* name;
  int level;
  const Kernels* (*float32)();
  const Kernels* (*float64)();
};

constexpr Isa isas[] = {
#define FASTADAM_KERNELS(function, name, level) {name, level, function##_float32, function##_float64},
#include "isas.inc"
#undef FASTADAM_KERNELS
};

bool available(const Isa& isa) { return isa.level <= x86_level(); }

const Isa* best_isa() {
  for (const Isa& isa : isas) {
    if (available(isa)) return &isa;
  }
  return nullptr;  // not reached: the baseline has level 0
}

std::atomic<const Isa*>& active() {
  static std::atomic<const Isa*> isa{best_isa()};
  return isa;
}

std::vector<std::string> names(bool (*wanted)(const Isa&)) {
  std::vector<std::string> result;
  for (const Isa& isa : isas) {
    if (wanted(isa)) result.emplace_back(isa.name);
  }
  return result;
}

}  // namespace

std::vector<std::string> compiled_isas() {
  return names([](const Isa&) { return true; });
}

std::vector<std::string> available_isas() { return names(available); }

const char* active_isa() { return active().load()->name; }

void set_isa(const std::string& name) {
  std::string choices;
  for (const Isa& isa : isas) {
    if (!available(isa)) continue;
    if (name == isa.name) return active().store(&isa);
    choices += std::string(choices.empty() ? "'" : ", '") + isa.name + "'";
  }
  throw std::invalid_argument("FASTADAM_ISA is '" + name +
                              "'; expected an instruction set of this build that this CPU supports: " + choices +
                              "; unset FASTADAM_ISA to use the best one");
}

const Kernels& active_kernels(DType dtype) {
  const Isa& isa = *active().load(std::memory_order_relaxed);
  return *(dtype == DType::float32 ? isa.float32 : isa.float64)();
}

}  // namespace fastadam
