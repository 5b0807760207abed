#include "rule.hpp"

#include <iterator>

#include "cpu/float_env.hpp"
#include "rules/average.hpp"
#include "rules/registry.hpp"

namespace fastadam {
namespace {

template <class R>
RuleInfo describe(RuleId id, const char* name, const char* type_name) {
  static_assert(std::size(R::option_names) == R::option_count);
  static_assert(1U << std::size(R::flag_names) == R::variant_count);
  return {
      id,
      name,
      type_name,
      {std::begin(R::option_names), std::end(R::option_names)},
      {std::begin(R::flag_names), std::end(R::flag_names)},
      requires(R rule) { rule.d, R::coupled; },
      [](unsigned flags) { return R::state_count(flags); },
      [](const double* options, unsigned flags, int64_t step) { return Coefficients::of(R::at_step(options, flags, step)); }};
}

}  // namespace

const std::vector<RuleInfo>& rules() {
#define FASTADAM_DESCRIBE(id, type) describe<type>(RuleId::id, #id, #type),
  static const std::vector<RuleInfo> all = {FASTADAM_RULES(FASTADAM_DESCRIBE)};
#undef FASTADAM_DESCRIBE
  return all;
}

std::map<std::string, unsigned> cuda_variants() {
#define FASTADAM_VARIANTS(id, type) {#type, type::variant_count},
  return {FASTADAM_CORE_RULES(FASTADAM_VARIANTS)};
#undef FASTADAM_VARIANTS
}

Coefficients Rule::at_step(int64_t step) const {
  const DefaultFloatEnv float_env;
  return info->at_step(options.data(), flags, step);
}

Coefficients Rule::average_at_step(int64_t step) const {
  const DefaultFloatEnv float_env;
  return Coefficients::of(ParamAverage::at_step(*ema_decay, step));
}

}  // namespace fastadam
