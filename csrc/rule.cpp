#include "rule.hpp"

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include "buffers.hpp"
#include "cpu/float_env.hpp"
#include "rules/registry.hpp"
#include "scalars.hpp"

namespace fastadam {
namespace {

template <class R>
RuleInfo describe(RuleId id, const char* name, const char* type_name) {
  static_assert(std::size(R::options) == R::option_count);
  static_assert(std::size(R::states) <= max_states);
  return {id,
          name,
          type_name,
          {std::begin(R::options), std::end(R::options)},
          {std::begin(R::states), std::end(R::states)},
          [](const double* options) -> unsigned { return R::flags_of(options); },
          [](const double* options) -> const char* {
            if constexpr (requires { R::conflict(options); }) {
              return R::conflict(options);
            } else {
              (void)options;
              return nullptr;
            }
          }};
}

}  // namespace

extern const Scalars scalars_float32, scalars_float64;

const Scalars& scalars_of(DType dtype) { return dtype == DType::float32 ? scalars_float32 : scalars_float64; }

const std::vector<RuleInfo>& rules() {
#define FASTADAM_DESCRIBE(id, type) describe<type>(RuleId::id, #id, #type),
  // Never destroyed: a thread may still be in a step when the process ends.
  static const auto& all = *new std::vector<RuleInfo>{FASTADAM_RULES(FASTADAM_DESCRIBE)};
#undef FASTADAM_DESCRIBE
  return all;
}

const RuleInfo& rule_info(RuleId id) { return rules()[static_cast<size_t>(id)]; }

std::map<std::string, unsigned> cuda_variants() {
#define FASTADAM_VARIANTS(id, type) {#type, type::variant_count},
  return {FASTADAM_CORE_RULES(FASTADAM_VARIANTS)};
#undef FASTADAM_VARIANTS
}

std::vector<StateInfo> Rule::states() const {
  std::vector<StateInfo> kept;
  std::copy_if(info->states.begin(), info->states.end(), std::back_inserter(kept),
               [this](const StateInfo& state) { return is_kept(state, flags); });
  return kept;
}

int Rule::state_count() const {
  return static_cast<int>(std::count_if(info->states.begin(), info->states.end(),
                                        [this](const StateInfo& state) { return is_kept(state, flags); }));
}

bool Rule::keeps_states_of(const Rule& other) const {
  if (info != other.info || dtype != other.dtype || storage != other.storage) return false;
  if (ema_decay.has_value() != other.ema_decay.has_value()) return false;
  return std::all_of(info->states.begin(), info->states.end(), [&](const StateInfo& state) {
    const bool kept = is_kept(state, flags);
    return kept == is_kept(state, other.flags) && (!kept || start_of(state) == other.start_of(state));
  });
}

void Rule::set_storage(const Storage& chosen) {
  if (chosen.states == StateFormat::log8) {
    for (const StateInfo& state : states()) {
      if (!state.needs_16_bits) continue;
      throw std::invalid_argument("state_dtype is '8bit', which is too coarse for " + std::string(state.name) +
                                  "; expected 'float32' or 'bfloat16', or options without that state");
    }
  }
  storage = chosen;
}

std::optional<double> Rule::start_of(const StateInfo& state) const {
  if (state.start == StateInfo::param) return std::nullopt;
  return state.start == StateInfo::option ? options[state.start_option] : 0;
}

Coefficients Rule::at_step(int64_t step) const {
  const DefaultFloatEnv float_env;
  return scalars_of(dtype).rule(info->id, options.data(), flags, step);
}

Coefficients Rule::average_at_step(int64_t step) const {
  const DefaultFloatEnv float_env;
  return scalars_of(dtype).average(*ema_decay, step);
}

}  // namespace fastadam
