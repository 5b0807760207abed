/* Reads cases from stdin, takes their steps, and writes what becomes of their arrays to stdout.
 *
 * A case is a line "dtype rule options size first_step steps", a line "name value" for each option, a parameter, its states and
 * a gradient for each step, as raw elements. Its answer is the parameter, the states and the norm of all gradients, a raw double.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fastadam.h"

static const fastadam_api* api;

static void fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, api->error());
  exit(1);
}

static char* read_bytes(size_t count) {
  char* const bytes = malloc(count + 1);
  if (!bytes || fread(bytes, 1, count, stdin) != count) fail("expected more elements");
  return bytes;
}

static fastadam_array array(char* elements, int dtype) {
  const fastadam_array made = {elements, NULL, dtype};
  return made;
}

static void take_steps(const fastadam_rule* rule, int dtype, size_t size, long long first_step, size_t steps) {
  const size_t bytes = size * (dtype == FASTADAM_FLOAT32 ? sizeof(float) : sizeof(double));  // of an array
  const size_t states = (size_t)api->rule_state_count(rule);
  char* const memory = read_bytes((1 + states) * bytes);
  char* const gradients = read_bytes(steps * bytes);
  const fastadam_array param = array(memory, dtype), all_grads = array(gradients, dtype);
  const int64_t all_size = (int64_t)(steps * size);
  fastadam_array state[4];
  double norm;
  for (size_t k = 0; k < states; ++k) state[k] = array(memory + (1 + k) * bytes, dtype);
  for (size_t i = 0; i < steps; ++i) {
    const int64_t step = first_step + (long long)i;
    const fastadam_array grad = array(gradients + i * bytes, dtype);
    if (api->rule_step_arrays(rule, &param, &grad, state, (int64_t)size, step, 0) != FASTADAM_OK) fail("step");
  }
  if (api->global_norm_arrays(&all_grads, &all_size, 1, 0, &norm) != FASTADAM_OK) fail("norm");
  fwrite(memory, 1, (1 + states) * bytes, stdout);
  fwrite(&norm, sizeof norm, 1, stdout);
  free(memory);
  free(gradients);
}

int main(void) {
  char name[32], option_names[16][32];
  size_t size, steps;
  long long first_step;
  int count, dtype;
  api = fastadam_get_api();
  fprintf(stderr, "fastadam %s, %s\n", api->version, api->isa());
  while (scanf("%d %31s %d %zu %lld %zu", &dtype, name, &count, &size, &first_step, &steps) == 6) {
    fastadam_option options[16];
    for (int i = 0; i < count && i < 16; ++i) {
      if (scanf("%31s %la", option_names[i], &options[i].value) != 2) fail("expected an option");
      options[i].name = option_names[i];
    }
    if (getchar() != '\n') fail("expected the end of a line");
    fastadam_rule* const rule = api->rule_new_for(dtype, name, options, count);
    if (!rule) fail(name);
    take_steps(rule, dtype, size, first_step, steps);
    api->rule_free(rule);
  }
  return 0;
}
