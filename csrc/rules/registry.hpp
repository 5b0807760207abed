// The list of update rules. To add one, write a header beside this file, #include it and add it to FASTADAM_RULES.
#pragma once

#include "adagrad.hpp"
#include "adam.hpp"
#include "adamax.hpp"
#include "adopt.hpp"
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
  RULE(lion, Lion)                \
  RULE(adopt, ADOPT)

// Builds for bench/ and tests/ define FASTADAM_EXTRA_RULES as a header with rules of their own. No release has them.
#if defined(FASTADAM_EXTRA_RULES)
#include FASTADAM_EXTRA_RULES
#define FASTADAM_RULES(RULE) FASTADAM_CORE_RULES(RULE) FASTADAM_MORE_RULES(RULE)
#else
#define FASTADAM_RULES(RULE) FASTADAM_CORE_RULES(RULE)
#endif

namespace fastadam {

#define FASTADAM_RULE_ID(id, type) id,
enum class RuleId { FASTADAM_RULES(FASTADAM_RULE_ID) };
#undef FASTADAM_RULE_ID

}  // namespace fastadam
