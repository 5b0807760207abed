// The list of update rules. Adding one is a header beside this file, its #include and its line in FASTADAM_RULES.
#pragma once

#include "adagrad.hpp"
#include "adam.hpp"
#include "adamax.hpp"
#include "lion.hpp"
#include "nadam.hpp"
#include "radam.hpp"
#include "rmsprop.hpp"
#include "sgd.hpp"

#define FASTADAM_CORE_RULES(RULE) \
  RULE(adam, Adam)                \
  RULE(sgd, SGD)                  \
  RULE(adagrad, Adagrad)          \
  RULE(rmsprop, RMSprop)          \
  RULE(adamax, Adamax)            \
  RULE(nadam, NAdam)              \
  RULE(radam, RAdam)              \
  RULE(lion, Lion)

// Builds for bench/ define FASTADAM_BENCH_RULES as a header with kernels that only measure the machine. No release has them.
#if defined(FASTADAM_BENCH_RULES)
#include FASTADAM_BENCH_RULES
#define FASTADAM_RULES(RULE) FASTADAM_CORE_RULES(RULE) FASTADAM_WALLS(RULE)
#else
#define FASTADAM_RULES(RULE) FASTADAM_CORE_RULES(RULE)
#endif

namespace fastadam {

#define FASTADAM_RULE_ID(id, type) id,
enum class RuleId { FASTADAM_RULES(FASTADAM_RULE_ID) };
#undef FASTADAM_RULE_ID

}  // namespace fastadam
