// The table of the C interface.
#include "../cpu/environment.hpp"
#include "../cpu/isa.hpp"
#include "../cpu/threads.hpp"
#include "checks.hpp"
#include "functions.hpp"

namespace fastadam::c_api {
namespace {

const char* isa() {
  const char* name = nullptr;
  guarded([&] {
    ensure_environment();
    name = active_isa();
  });
  return name;
}

int set_threads(int threads) {
  return guarded([=] {
    ensure_environment();
    expect_threads(threads, 1);
    set_default_threads(threads);
  });
}

constexpr fastadam_api table{
    .major = FASTADAM_API_MAJOR,
    .minor = FASTADAM_API_MINOR,
    .version = FASTADAM_VERSION,
    .error = last_error,
    .isa = isa,
    .adam_step = adam_step,
    .rule_new = rule_new,
    .rule_set = rule_set,
    .rule_free = rule_free,
    .rule_state_count = rule_state_count,
    .rule_step = rule_step,
    .global_norm = global_norm,
    .rule_init_states = rule_init_states,
    .set_threads = set_threads,
    .tensors_new = tensors_new,
    .tensors_free = tensors_free,
    .tensors_set_rule = tensors_set_rule,
    .tensors_step = tensors_step,
    .tensors_steps = tensors_steps,
    .tensors_skipped = tensors_skipped,
    .rule_new_for = rule_new_for,
    .adam_step_arrays = adam_step_arrays,
    .rule_step_arrays = rule_step_arrays,
    .rule_init_states_arrays = rule_init_states_arrays,
    .global_norm_arrays = global_norm_arrays,
    .tensors_new_arrays = tensors_new_arrays,
    .tensors_step_arrays = tensors_step_arrays,
};

}  // namespace
}  // namespace fastadam::c_api

const fastadam_api* fastadam_get_api() { return &fastadam::c_api::table; }
