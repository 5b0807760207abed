/* fastadam's C interface: optimizer steps on raw pointers, without Python or its GIL.
 *
 * All functions are members of one table, so that nothing has to be linked. A Python extension gets it from fastadam_import(),
 * which needs Python.h to be included before this header; a program that links the library gets it from fastadam_get_api().
 *
 * Functions may be called from any number of threads at once, on different arrays. Results are bit for bit those of the Python
 * package. A call that returns FASTADAM_INVALID or FASTADAM_NO_MEMORY changes nothing.
 *
 * Arrays have elements of type float32 (IEEE-754 binary32), or of the type that a fastadam_array says. They are aligned to the
 * size of an element and must not overlap; an empty one may be NULL. `threads` is the most threads to use; 0 is the process's
 * default, and small arrays use one. */
#ifndef FASTADAM_H
#define FASTADAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A minor version adds members at the end of the table. A major version may change anything. */
#define FASTADAM_API_MAJOR 1
#define FASTADAM_API_MINOR 3

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

/* Since 1.2. A parameter with its states, of which there are rule_state_count of its group's rule. */
typedef struct fastadam_tensor {
  float* param;
  float* const* states;
  int64_t size;
  int64_t steps; /* that it has taken: 0 at first */
} fastadam_tensor;

/* Tensors that are stepped by one rule. */
typedef struct fastadam_group {
  const fastadam_rule* rule;
  const fastadam_tensor* tensors;
  int64_t count;
} fastadam_group;

/* The options of Optimizer.step of the Python package. */
typedef struct fastadam_step_options {
  double grad_scale;  /* 1: gradients are used as they are */
  double clip_value;  /* 0: none */
  double max_norm;    /* 0: none */
  int skip_nonfinite; /* 1: a step with a gradient that is not finite changes nothing but tensors_skipped */
} fastadam_step_options;

#define FASTADAM_STEP_DEFAULTS {1.0, 0.0, 0.0, 0}

typedef struct fastadam_tensors fastadam_tensors;

/* Since 1.3. The types of elements. */
enum { FASTADAM_FLOAT32 = 0, FASTADAM_FLOAT64 = 1 };

/* An array: where its elements are, and their type. `scales` is for types that have scales beside their elements; so far there
 * are none, and it is NULL. The elements of a gradient are only read. */
typedef struct fastadam_array {
  void* elements;
  void* scales;
  int dtype;
} fastadam_array;

/* As fastadam_tensor and fastadam_group, with arrays of any type. */
typedef struct fastadam_array_tensor {
  fastadam_array param;
  const fastadam_array* states;
  int64_t size;
  int64_t steps;
} fastadam_array_tensor;

typedef struct fastadam_array_group {
  const fastadam_rule* rule;
  const fastadam_array_tensor* tensors;
  int64_t count;
} fastadam_array_group;

typedef struct fastadam_api {
  /* The version of this table, which may be newer than the header. */
  int major, minor;

  /* The library's version, e.g. "0.1.0". */
  const char* version;

  /* What was wrong in the last call of this thread that failed, in English; valid until the next one that fails. */
  const char* (*error)(void);

  /* The name of the instruction set that steps use; valid forever. NULL and an error if FASTADAM_ISA or another variable of
   * the environment cannot be followed, as every step then fails. */
  const char* (*isa)(void);

  /* One step of Adam, AdamW or (with max_exp_avg_sq, else NULL) AMSGrad: fastadam.adam_step of the Python package. `step`
   * counts from 1. All arrays have `size` elements; all but grad are updated. Moments start as zeros. */
  int (*adam_step)(float* param, const float* grad, float* exp_avg, float* exp_avg_sq, float* max_exp_avg_sq, int64_t size,
                   int64_t step, const fastadam_adam_options* options, int threads);

  /* Since 1.1. */

  /* Makes a rule from its name ("adam", "sgd", ...), all of its numbers, and those of its flags that are not 0. Returns NULL if
   * they are invalid. "maximize" is a flag of every rule, "decoupled_weight_decay" of those whose Python classes have it,
   * "bias_correction" one of adam, 1 if it is left out; "initial_accumulator_value" is a number of adagrad that may be left
   * out. Since 1.2, "ema_decay" is a number of every rule that may be left out: with it, a parameter has an average, which is
   * the last of its states. */
  fastadam_rule* (*rule_new)(const char* name, const fastadam_option* options, int count);

  /* Changes an option, between steps that use the rule. */
  int (*rule_set)(fastadam_rule* rule, const char* option, double value);

  /* NULL is no rule, and nothing is freed. */
  void (*rule_free)(fastadam_rule* rule);

  /* How many state arrays a parameter has: 0 to 5, or -1 and an error if `rule` is NULL. */
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

  /* Sets the process's default number of threads, at least 1: fastadam.set_num_threads. Until then it is that of
   * FASTADAM_NUM_THREADS, else of OMP_NUM_THREADS, else in Python the number of usable CPUs and in a program without Python
   * the number that OpenMP would use. */
  int (*set_threads)(int threads);

  /* Tensors in groups, made once and then stepped together: an Optimizer of the Python package, of which only one thread may
   * use one at a time. The rules and this description are copied; the arrays are the caller's and must live as long. Returns
   * NULL if an argument is invalid. */
  fastadam_tensors* (*tensors_new)(const fastadam_group* groups, int64_t group_count);
  void (*tensors_free)(fastadam_tensors* tensors);

  /* Sets the rule of a group for the steps that follow, as for a schedule. It must keep the same states. */
  int (*tensors_set_rule)(fastadam_tensors* tensors, int64_t group, const fastadam_rule* rule);

  /* One step: grads has the gradient of each tensor, group after group. If one is NULL, its tensor and step count stay as they
   * are. `options` may be NULL. If `norm` is not NULL, it receives the norm of the scaled gradients before clipping. */
  int (*tensors_step)(fastadam_tensors* tensors, const float* const* grads, const fastadam_step_options* options, int threads,
                      double* norm);

  /* The number of steps that each tensor has taken, which may be written to between steps; valid until tensors_free. */
  int64_t* (*tensors_steps)(fastadam_tensors* tensors);

  /* How many steps skip_nonfinite has skipped, or -1 and an error if `tensors` is NULL. */
  int64_t (*tensors_skipped)(const fastadam_tensors* tensors);

  /* Since 1.3. */

  /* The same as rule_new for arrays of another type, which all arrays of its steps have. rule_new is for FASTADAM_FLOAT32. */
  fastadam_rule* (*rule_new_for)(int dtype, const char* name, const fastadam_option* options, int count);

  /* adam_step on arrays of any one type; `max_exp_avg_sq` may be NULL. */
  int (*adam_step_arrays)(const fastadam_array* param, const fastadam_array* grad, const fastadam_array* exp_avg,
                          const fastadam_array* exp_avg_sq, const fastadam_array* max_exp_avg_sq, int64_t size, int64_t step,
                          const fastadam_adam_options* options, int threads);

  /* The same as the functions without _arrays, for arrays of the rule's type; those are for rules of FASTADAM_FLOAT32 alone. */
  int (*rule_step_arrays)(const fastadam_rule* rule, const fastadam_array* param, const fastadam_array* grad,
                          const fastadam_array* states, int64_t size, int64_t step, int threads);
  int (*rule_init_states_arrays)(const fastadam_rule* rule, const fastadam_array* param, const fastadam_array* states,
                                 int64_t size);

  /* All arrays have one type. A norm beyond float64 is infinite. */
  int (*global_norm_arrays)(const fastadam_array* grads, const int64_t* sizes, int64_t count, int threads, double* norm);

  /* All rules and arrays have one type. The functions that take `tensors` are for these too, but for tensors_step, which is
   * for FASTADAM_FLOAT32. If the elements of a gradient are NULL, its tensor and step count stay as they are. */
  fastadam_tensors* (*tensors_new_arrays)(const fastadam_array_group* groups, int64_t group_count);
  int (*tensors_step_arrays)(fastadam_tensors* tensors, const fastadam_array* grads, const fastadam_step_options* options,
                             int threads, double* norm);
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
