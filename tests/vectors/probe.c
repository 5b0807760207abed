/* Makes states of the rule of probe.hpp begin, and takes steps. Writes to stdout, as raw floats: the states as they begin, and
 * the parameter and the states in the end. */
#include <stdio.h>

#include "fastadam.h"

enum { size = 1001, states = 4, steps = 3 };

static const fastadam_api* api;
static float param[size], grad[size], state[states][size];

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, api->error());
  return 1;
}

int main(void) {
  const fastadam_option options[] = {{"lr", 0.25}, {"begin", 0.75}};
  float* const all[states] = {state[0], state[1], state[2], state[3]};
  api = fastadam_get_api();
  fastadam_rule* const rule = api->rule_new("probe", options, 2);
  if (!rule) return fail("rule_new");
  if (api->rule_state_count(rule) != states) return fail("rule_state_count");
  for (int i = 0; i < size; ++i) {
    param[i] = (float)i / 8;
    grad[i] = (float)(i % 7) - 3;
    state[0][i] = state[3][i] = -1; /* which is to be overwritten */
  }
  if (api->rule_init_states(rule, NULL, all, size) != FASTADAM_INVALID) return fail("a parameter that is NULL");
  if (state[0][0] != -1 || state[3][size - 1] != -1) return fail("a refused call has changed something");
  if (api->rule_init_states(rule, param, all, size) != FASTADAM_OK) return fail("rule_init_states");
  fwrite(state, sizeof(float), states * size, stdout);
  for (int step = 1; step <= steps; ++step) {
    if (api->rule_step(rule, param, grad, all, size, step, 0) != FASTADAM_OK) return fail("rule_step");
  }
  fwrite(param, sizeof(float), size, stdout);
  fwrite(state, sizeof(float), states * size, stdout);
  api->rule_free(rule);
  return 0;
}
