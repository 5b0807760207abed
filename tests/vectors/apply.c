/* Reads cases from stdin, takes their steps, and writes what becomes of their arrays to stdout.
 *
 * A case is a line "rule options size first_step steps", a line "name value" for each option, a parameter, its states and a
 * gradient for each step, as raw floats. Its answer is the parameter, the states and the norm of all gradients, a raw double.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fastadam.h"

static const fastadam_api* api;

static void fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, api->error());
  exit(1);
}

static float* read_floats(size_t count) {
  float* const floats = malloc(count * sizeof(float) + 1);
  if (!floats || fread(floats, sizeof(float), count, stdin) != count) fail("expected more floats");
  return floats;
}

static void take_steps(const fastadam_rule* rule, size_t size, long long first_step, size_t steps) {
  const size_t states = (size_t)api->rule_state_count(rule);
  float* const param = read_floats((1 + states) * size);
  float* const grads = read_floats(steps * size);
  float* state[4];
  const float* all_grads = grads;
  const int64_t all_size = (int64_t)(steps * size);
  double norm;
  for (size_t k = 0; k < states; ++k) state[k] = param + (1 + k) * size;
  for (size_t i = 0; i < steps; ++i) {
    const int64_t step = first_step + (long long)i;
    if (api->rule_step(rule, param, grads + i * size, state, (int64_t)size, step, 0) != FASTADAM_OK) fail("step");
  }
  if (api->global_norm(&all_grads, &all_size, 1, 0, &norm) != FASTADAM_OK) fail("norm");
  fwrite(param, sizeof(float), (1 + states) * size, stdout);
  fwrite(&norm, sizeof norm, 1, stdout);
  free(param);
  free(grads);
}

int main(void) {
  char name[32], option_names[16][32];
  size_t size, steps;
  long long first_step;
  int count;
  api = fastadam_get_api();
  fprintf(stderr, "fastadam %s, %s\n", api->version, api->isa());
  while (scanf("%31s %d %zu %lld %zu", name, &count, &size, &first_step, &steps) == 5) {
    fastadam_option options[16];
    for (int i = 0; i < count && i < 16; ++i) {
      if (scanf("%31s %la", option_names[i], &options[i].value) != 2) fail("expected an option");
      options[i].name = option_names[i];
    }
    if (getchar() != '\n') fail("expected the end of a line");
    fastadam_rule* const rule = api->rule_new(name, options, count);
    if (!rule) fail(name);
    take_steps(rule, size, first_step, steps);
    api->rule_free(rule);
  }
  return 0;
}
