#include "rule.hpp"

#include <cstring>
#include <iterator>
#include <type_traits>

#include "cpu/float_env.hpp"
#include "rules/registry.hpp"

namespace fastadam {
namespace {

template <class R>
RuleInfo describe(RuleId id, const char* name, const char* type_name) {
  static_assert(sizeof(R) <= sizeof(Coefficients) && std::is_trivially_copyable_v<R>);
  static_assert(std::size(R::option_names) == R::option_count);
  static_assert(1U << std::size(R::flag_names) == R::variant_count);
  return {id,
          name,
          type_name,
          sizeof(R),
          {std::begin(R::option_names), std::end(R::option_names)},
          {std::begin(R::flag_names), std::end(R::flag_names)},
          [](unsigned flags) { return R::state_count(flags); },
          [](const double* options, unsigned flags, int64_t step) {
            const R rule = R::at_step(options, flags, step);
            Coefficients coefficients{};  // no stray bytes: they may travel to a device
            std::memcpy(coefficients.bytes, &rule, sizeof rule);
            return coefficients;
          }};
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

}  // namespace fastadam
