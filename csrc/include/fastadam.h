/* fastadam's C interface: optimizer steps on raw pointers, without Python or its GIL.
 *
 * All functions are members of one table, so that nothing has to be linked. A Python extension gets it from fastadam_import(),
 * which needs Python.h to be included before this header; a program that links the library gets it from fastadam_get_api().
 *
 * Functions may be called from any number of threads at once, on different arrays. Results are bit for bit those of the Python
 * package. A call that returns FASTADAM_INVALID or FASTADAM_NO_MEMORY changes nothing.
 *
 * Arrays have elements of type float32 (IEEE-754 binary32), are aligned to 4 bytes and must not overlap; an empty one may be
 * NULL. `threads` is the most threads to use; 0 is the process's default, and small arrays use one. */
#ifndef FASTADAM_H
#define FASTADAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A minor version adds members at the end of the table. A major version may change anything. */
#define FASTADAM_API_MAJOR 1
#define FASTADAM_API_MINOR 2

enum { FASTADAM_OK = 0, FASTADAM_INVALID = 1, FASTADAM_NO_MEMORY = 2 };

typedef struct fastadam_adam_options {
  double lr, beta1, beta2, eps, weight_decay;
  int decoupled_weight_decay; /* 1: AdamW */
  int maximize;
} fastadam_adam_options;

/* The defaults of Adam; those of AdamW are weight_decay 0.01 and decoupled_weight_decay 1. */
#define FASTADAM_ADAM_DEFAULTS {1e-3, 0.9, 0.999, 1e-8, 0.0, 0, 0}

/* An option of a rule: its name, as in csrc/rules, and its value, which for a flag is 0 or 1. */
typedef struct fastadam_option {
  const char* name;
  double value;
} fastadam_option;

/* A rule with its options. */
typedef struct fastadam_rule fastadam_rule;

typedef struct fastadam_api {
  /* The version of this table, which may be newer than the header. */
  int major, minor;

  /* The library's version, e.g. "0.1.0". */
  const char* version;

  /* What was wrong in the last call of this thread that failed, in English; valid until the next one that fails. */
  const char* (*error)(void);

  /* The name of the instruction set that steps use; valid forever. */
  const char* (*isa)(void);

  /* One step of Adam, AdamW or (with max_exp_avg_sq, else NULL) AMSGrad: fastadam.adam_step of the Python package. `step`
   * counts from 1. All arrays have `size` elements; all but grad are updated. Moments start as zeros. */
  int (*adam_step)(float* param, const float* grad, float* exp_avg, float* exp_avg_sq, float* max_exp_avg_sq, int64_t size,
                   int64_t step, const fastadam_adam_options* options, int threads);

  /* Since 1.1. */

  /* Makes a rule from its name ("adam", "sgd", ...), all of its numbers, and those of its flags that are not 0. Returns NULL if
   * they are invalid. "maximize" is a flag of every rule, "decoupled_weight_decay" of those whose Python classes have it;
   * "initial_accumulator_value" is a number of adagrad that may be left out. */
  fastadam_rule* (*rule_new)(const char* name, const fastadam_option* options, int count);

  /* Changes an option, between steps that use the rule. */
  int (*rule_set)(fastadam_rule* rule, const char* option, double value);

  /* NULL is no rule, and nothing is freed. */
  void (*rule_free)(fastadam_rule* rule);

  /* How many state arrays a parameter has: 0 to 4, or -1 and an error if `rule` is NULL. */
  int (*rule_state_count)(const fastadam_rule* rule);

  /* One step of a rule, otherwise as adam_step. `states` has rule_state_count(rule) arrays in the order of the optimizer's
   * state in Python. rule_init_states initializes them: with zeros, except for adagrad with an initial_accumulator_value.
   * Threads may share a rule. */
  int (*rule_step)(const fastadam_rule* rule, float* param, const float* grad, float* const* states, int64_t size, int64_t step,
                   int threads);

  /* The Euclidean norm of all elements of `count` arrays: fastadam.global_norm. */
  int (*global_norm)(const float* const* grads, const int64_t* sizes, int64_t count, int threads, double* norm);

  /* Since 1.2. */

  /* Fills a parameter's states with their initial values. `param` is read only by rules that keep a copy of the parameter. */
  int (*rule_init_states)(const fastadam_rule* rule, const float* param, float* const* states, int64_t size);
} fastadam_api;

#ifdef Py_PYTHON_H

/* Imports the Python package and returns its table. Call it once, with the GIL held. If the package is missing, or its version
 * of the table does not match this header, it returns NULL and sets an ImportError. */
static inline const fastadam_api* fastadam_import(void) {
  const fastadam_api* api = (const fastadam_api*)PyCapsule_Import("fastadam.c_api", 0);
  if (!api) return NULL;
  if (api->major == FASTADAM_API_MAJOR && api->minor >= FASTADAM_API_MINOR) return api;
  PyErr_Format(PyExc_ImportError,
               "fastadam %s has version %d.%d of its C interface; this module was compiled for %d.%d and needs that or a later "
               "minor version; install a fastadam that has it, or recompile this module",
               api->version, api->major, api->minor, FASTADAM_API_MAJOR, FASTADAM_API_MINOR);
  return NULL;
}

#endif

/* The table, for programs that link the library. The Python package does not export it. */
const fastadam_api* fastadam_get_api(void);

#ifdef __cplusplus
}
#endif

#endif
