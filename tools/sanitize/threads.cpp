// Threads that use the C interface in every way that it allows, for ThreadSanitizer to watch: with objects of their own, with a
// rule and tensors that they share, while others change the settings of the process, and in forked children. Results are those
// of one thread. `threads race` does what is not allowed, which ThreadSanitizer must see.
#include "cpu/threads.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "cpu/isa.hpp"
#include "fastadam.h"

namespace {

constexpr int64_t size = 6000;
constexpr int workers = 3, steps = 400;

const fastadam_api* const api = fastadam_get_api();

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, api->error());
  std::_Exit(1);
}

void expect(bool holds, const char* what) {
  if (!holds) fail(what);
}

const fastadam_rule* new_rule() {
  const fastadam_option options[] = {{"lr", 0.1},   {"beta1", 0.9},        {"beta2", 0.99},
                                     {"eps", 1e-8}, {"weight_decay", 0.1}, {"ema_decay", 0.5}};
  const fastadam_rule* rule = api->rule_new("adam", options, 6);
  expect(rule && api->rule_state_count(rule) == 3, "rule_new");
  return rule;
}

// The arrays of a parameter.
struct Arrays {
  std::vector<float> param = std::vector<float>(size, 1), grad = std::vector<float>(size, 0.5F);
  std::vector<float> memory = std::vector<float>(3 * size);
  float* states[3] = {memory.data(), memory.data() + size, memory.data() + 2 * size};
};

// Steps of one tensor, with a rule that others use too, and norms.
std::vector<float> step_arrays(const fastadam_rule* rule, int threads) {
  Arrays arrays;
  for (int64_t step = 1; step <= steps; ++step) {
    const int used = threads == 1 ? 1 : static_cast<int>(step % 4);
    expect(api->rule_step(rule, arrays.param.data(), arrays.grad.data(), arrays.states, size, step, used) == FASTADAM_OK,
           "step");
    const float* const grads[] = {arrays.grad.data(), arrays.param.data()};
    const int64_t sizes[] = {size, size};
    double norm = -1;
    expect(api->global_norm(grads, sizes, 2, used, &norm) == FASTADAM_OK && norm >= 0, "norm");
    if (step % 20 == 0) {
      expect(api->rule_step(rule, arrays.param.data(), arrays.param.data(), arrays.states, size, step, 1) == FASTADAM_INVALID &&
                 std::strstr(api->error(), "shares memory"),
             "a gradient that is the parameter");
    }
  }
  return arrays.param;
}

// Steps of tensors of its own, in groups.
void step_tensors(const fastadam_rule* rule) {
  Arrays one, other;
  const fastadam_tensor described[] = {{one.param.data(), one.states, size, 0}, {other.param.data(), other.states, size, 0}};
  const fastadam_group groups[] = {{rule, described, 1}, {rule, described + 1, 1}};
  fastadam_tensors* tensors = api->tensors_new(groups, 2);
  expect(tensors, "tensors_new");
  const float* const grads[] = {one.grad.data(), other.grad.data()};
  const fastadam_step_options options = {0.5, 1, 1, 1};
  for (int step = 0; step < steps; ++step) {
    double norm = 0;
    expect(api->tensors_step(tensors, grads, step % 2 ? &options : nullptr, 0, step % 3 ? &norm : nullptr) == FASTADAM_OK,
           "step");
    expect(api->tensors_set_rule(tensors, step % 2, rule) == FASTADAM_OK, "tensors_set_rule");
  }
  expect(api->tensors_steps(tensors)[1] == steps && one.param == other.param, "steps");
  api->tensors_free(tensors);
}

// A step of tensors that other threads step too: it is taken, or refused because another one is being taken.
int64_t step_shared(fastadam_tensors* tensors, const float* grad) {
  int64_t taken = 0;
  for (int step = 0; step < 4 * steps; ++step) {
    const int status = api->tensors_step(tensors, &grad, nullptr, 2, nullptr);
    expect(status == FASTADAM_OK || std::strstr(api->error(), "another thread"), "a shared step");
    taken += status == FASTADAM_OK;
  }
  return taken;
}

void change_settings(const std::string& first_isa) {
  const std::vector<std::string> isas = fastadam::available_isas();
  for (int k = 0; k < 1000; ++k) {
    expect(api->set_threads(k % 4 + 1) == FASTADAM_OK && api->isa(), "set_threads");
    fastadam::set_grain(1000 + k % 7);
    fastadam::set_backs_off(k % 2 != 0);
    fastadam::set_isa(isas[k % isas.size()]);
    fastadam::effective_threads(0);
  }
  fastadam::set_isa(first_isa);
  fastadam::set_backs_off(false);  // from here on, on teams of threads
}

// A child takes steps that have the same result, on one thread whatever it is asked for.
void fork_and_step(const fastadam_rule* rule, const std::vector<float>& expected) {
  for (int k = 0; k < 5; ++k) {
    const pid_t child = fork();
    expect(child >= 0, "fork");
    if (child == 0) std::_Exit(step_arrays(rule, 4) == expected ? 0 : 2);
    int status = -1;
    expect(waitpid(child, &status, 0) == child && status == 0, "a forked child");
  }
}

}  // namespace

int main(int count, char** arguments) {
  const fastadam_rule* const rule = new_rule();
  fastadam::set_grain(1000);
  std::vector<std::thread> threads;
  if (count > 1 && std::string(arguments[1]) == "race") {
    Arrays arrays;
    std::barrier start(2);
    for (int k = 0; k < 2; ++k) {
      threads.emplace_back([&] {
        start.arrive_and_wait();
        for (int step = 1; step < 100; ++step) {
          api->rule_step(rule, arrays.param.data(), arrays.grad.data(), arrays.states, size, step, 1);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return 0;
  }
  const std::vector<float> expected = step_arrays(rule, 1);
  Arrays shared;
  const fastadam_tensor described = {shared.param.data(), shared.states, size, 0};
  const fastadam_group group = {rule, &described, 1};
  fastadam_tensors* const tensors = api->tensors_new(&group, 1);
  expect(tensors, "tensors_new");
  std::vector<int64_t> taken(workers);
  for (int k = 0; k < workers; ++k) {
    threads.emplace_back([&, k] {
      expect(step_arrays(rule, 0) == expected, "other bits on other threads");
      step_tensors(rule);
      taken[k] = step_shared(tensors, shared.grad.data());
    });
  }
  threads.emplace_back(change_settings, fastadam::active_isa());
  fork_and_step(rule, expected);
  for (std::thread& thread : threads) thread.join();
  int64_t all = 0;
  for (const int64_t each : taken) all += each;
  expect(all > 0 && api->tensors_steps(tensors)[0] == all, "a lost step");
  api->tensors_free(tensors);
  api->rule_free(const_cast<fastadam_rule*>(rule));
  std::puts("no race");
}
