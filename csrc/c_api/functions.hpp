// The functions of the table in include/fastadam.h, which documents them.
#pragma once

#include "../include/fastadam.h"

namespace fastadam::c_api {

// rules.cpp
int adam_step(float* param, const float* grad, float* exp_avg, float* exp_avg_sq, float* max_exp_avg_sq, int64_t size,
              int64_t step, const fastadam_adam_options* options, int threads);
fastadam_rule* rule_new(const char* name, const fastadam_option* options, int count);
int rule_set(fastadam_rule* rule, const char* option, double value);
void rule_free(fastadam_rule* rule);
int rule_state_count(const fastadam_rule* rule);
int rule_step(const fastadam_rule* rule, float* param, const float* grad, float* const* states, int64_t size, int64_t step,
              int threads);
int rule_init_states(const fastadam_rule* rule, const float* param, float* const* states, int64_t size);
int adam_step_arrays(const fastadam_array* param, const fastadam_array* grad, const fastadam_array* exp_avg,
                     const fastadam_array* exp_avg_sq, const fastadam_array* max_exp_avg_sq, int64_t size, int64_t step,
                     const fastadam_adam_options* options, int threads);
fastadam_rule* rule_new_for(int dtype, const char* name, const fastadam_option* options, int count);
int rule_step_arrays(const fastadam_rule* rule, const fastadam_array* param, const fastadam_array* grad,
                     const fastadam_array* states, int64_t size, int64_t step, int threads);
int rule_init_states_arrays(const fastadam_rule* rule, const fastadam_array* param, const fastadam_array* states, int64_t size);

// tensors.cpp
fastadam_tensors* tensors_new(const fastadam_group* groups, int64_t group_count);
void tensors_free(fastadam_tensors* tensors);
int tensors_set_rule(fastadam_tensors* tensors, int64_t group, const fastadam_rule* rule);
int tensors_step(fastadam_tensors* tensors, const float* const* grads, const fastadam_step_options* options, int threads,
                 double* norm);
int64_t* tensors_steps(fastadam_tensors* tensors);
int64_t tensors_skipped(const fastadam_tensors* tensors);
int global_norm(const float* const* grads, const int64_t* sizes, int64_t count, int threads, double* norm);
int global_norm_arrays(const fastadam_array* grads, const int64_t* sizes, int64_t count, int threads, double* norm);
fastadam_tensors* tensors_new_arrays(const fastadam_array_group* groups, int64_t group_count);
int tensors_step_arrays(fastadam_tensors* tensors, const fastadam_array* grads, const fastadam_step_options* options,
                        int threads, double* norm);

}  // namespace fastadam::c_api
