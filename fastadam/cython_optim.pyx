# cython: language_level=3, freethreading_compatible=True
"""Optimizer steps for Cython, which cython_optim.pxd declares. This module has nothing for Python."""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int64_t

from fastadam import c_api


cdef extern from "fastadam.h":
    enum:
        FASTADAM_OK
        FASTADAM_NO_MEMORY

    ctypedef struct fastadam_adam_options:
        double lr
        double beta1
        double beta2
        double eps
        double weight_decay
        int decoupled_weight_decay
        int maximize

    ctypedef struct fastadam_option:
        const char *name
        double value

    ctypedef struct fastadam_rule:
        pass

    ctypedef struct fastadam_tensors:
        pass

    ctypedef struct fastadam_group:
        pass

    ctypedef struct fastadam_array:
        pass

    ctypedef struct fastadam_array_group:
        pass

    ctypedef struct fastadam_step_options:
        double grad_scale
        double clip_value
        double max_norm
        int skip_nonfinite

    ctypedef struct fastadam_api:
        const char *(*error)() noexcept nogil
        int (*adam_step)(
            float *param, const float *grad, float *exp_avg, float *exp_avg_sq, float *max_exp_avg_sq, int64_t size,
            int64_t step, const fastadam_adam_options *options, int threads,
        ) noexcept nogil
        fastadam_rule *(*rule_new)(const char *name, const fastadam_option *options, int count) noexcept nogil
        int (*rule_set)(fastadam_rule *rule, const char *option, double value) noexcept nogil
        void (*rule_free)(fastadam_rule *rule) noexcept nogil
        int (*rule_state_count)(const fastadam_rule *rule) noexcept nogil
        int (*rule_step)(
            const fastadam_rule *rule, float *param, const float *grad, float *const *states, int64_t size, int64_t step,
            int threads,
        ) noexcept nogil
        int (*rule_init_states)(
            const fastadam_rule *rule, const float *param, float *const *states, int64_t size
        ) noexcept nogil
        int (*global_norm)(
            const float *const *grads, const int64_t *sizes, int64_t count, int threads, double *norm
        ) noexcept nogil
        int (*set_threads)(int threads) noexcept nogil
        fastadam_tensors *(*tensors_new)(const fastadam_group *groups, int64_t group_count) noexcept nogil
        void (*tensors_free)(fastadam_tensors *tensors) noexcept nogil
        int (*tensors_set_rule)(fastadam_tensors *tensors, int64_t group, const fastadam_rule *rule) noexcept nogil
        int (*tensors_step)(
            fastadam_tensors *tensors, const float *const *grads, const fastadam_step_options *options, int threads,
            double *norm,
        ) noexcept nogil
        int64_t *(*tensors_steps)(fastadam_tensors *tensors) noexcept nogil
        int64_t (*tensors_skipped)(const fastadam_tensors *tensors) noexcept nogil
        fastadam_rule *(*rule_new_for)(
            int dtype, const char *name, const fastadam_option *options, int count
        ) noexcept nogil
        int (*adam_step_arrays)(
            const fastadam_array *param, const fastadam_array *grad, const fastadam_array *exp_avg,
            const fastadam_array *exp_avg_sq, const fastadam_array *max_exp_avg_sq, int64_t size, int64_t step,
            const fastadam_adam_options *options, int threads,
        ) noexcept nogil
        int (*rule_step_arrays)(
            const fastadam_rule *rule, const fastadam_array *param, const fastadam_array *grad, const fastadam_array *states,
            int64_t size, int64_t step, int threads,
        ) noexcept nogil
        int (*rule_init_states_arrays)(
            const fastadam_rule *rule, const fastadam_array *param, const fastadam_array *states, int64_t size
        ) noexcept nogil
        int (*global_norm_arrays)(
            const fastadam_array *grads, const int64_t *sizes, int64_t count, int threads, double *norm
        ) noexcept nogil
        fastadam_tensors *(*tensors_new_arrays)(const fastadam_array_group *groups, int64_t group_count) noexcept nogil
        int (*tensors_step_arrays)(
            fastadam_tensors *tensors, const fastadam_array *grads, const fastadam_step_options *options, int threads,
            double *norm,
        ) noexcept nogil


# The one table of the process, so that FASTADAM_ISA and set_num_threads apply here too.
cdef const fastadam_api *api = <const fastadam_api *>PyCapsule_GetPointer(c_api, "fastadam.c_api")


cdef int adam_step_at(
    float *param, const float *grad, float *exp_avg, float *exp_avg_sq, float *max_exp_avg_sq, int64_t size, int64_t step,
    const AdamOptions *options, int threads,
) except -1 nogil:
    cdef fastadam_adam_options as_in_c = adam_options_in_c(options)
    return checked(api.adam_step(param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, size, step, &as_in_c, threads))


# Array, ArrayTensor and ArrayGroup have the members of fastadam_array, fastadam_array_tensor and fastadam_array_group.
cdef int adam_step_arrays(
    const Array *param, const Array *grad, const Array *exp_avg, const Array *exp_avg_sq, const Array *max_exp_avg_sq,
    int64_t size, int64_t step, const AdamOptions *options, int threads,
) except -1 nogil:
    cdef fastadam_adam_options as_in_c = adam_options_in_c(options)
    return checked(api.adam_step_arrays(
        <const fastadam_array *>param, <const fastadam_array *>grad, <const fastadam_array *>exp_avg,
        <const fastadam_array *>exp_avg_sq, <const fastadam_array *>max_exp_avg_sq, size, step, &as_in_c, threads,
    ))


cdef inline fastadam_adam_options adam_options_in_c(const AdamOptions *options) noexcept nogil:
    return fastadam_adam_options(
        options.lr, options.beta1, options.beta2, options.eps, options.weight_decay,
        options.decoupled_weight_decay, options.maximize,
    )


cdef Rule *rule_new(const char *name, const RuleOption *options, int count) except NULL nogil:
    return rule_new_for(FLOAT32, name, options, count)


cdef Rule *rule_new_for(int dtype, const char *name, const RuleOption *options, int count) except NULL nogil:
    cdef fastadam_rule *rule = api.rule_new_for(dtype, name, <const fastadam_option *>options, count)
    if rule == NULL:
        with gil:
            raise ValueError(api.error().decode())
    return <Rule *>rule


cdef int rule_set(Rule *rule, const char *option, double value) except -1 nogil:
    return checked(api.rule_set(<fastadam_rule *>rule, option, value))


cdef void rule_free(Rule *rule) noexcept nogil:
    api.rule_free(<fastadam_rule *>rule)


cdef int rule_state_count(const Rule *rule) noexcept nogil:
    return api.rule_state_count(<const fastadam_rule *>rule)


cdef int rule_init_states(const Rule *rule, const float *param, float *const *states, int64_t size) except -1 nogil:
    return checked(api.rule_init_states(<const fastadam_rule *>rule, param, states, size))


cdef int rule_step(
    const Rule *rule, float *param, const float *grad, float *const *states, int64_t size, int64_t step, int threads,
) except -1 nogil:
    return checked(api.rule_step(<const fastadam_rule *>rule, param, grad, states, size, step, threads))


cdef int rule_init_states_arrays(const Rule *rule, const Array *param, const Array *states, int64_t size) except -1 nogil:
    return checked(api.rule_init_states_arrays(
        <const fastadam_rule *>rule, <const fastadam_array *>param, <const fastadam_array *>states, size
    ))


cdef int rule_step_arrays(
    const Rule *rule, const Array *param, const Array *grad, const Array *states, int64_t size, int64_t step, int threads,
) except -1 nogil:
    return checked(api.rule_step_arrays(
        <const fastadam_rule *>rule, <const fastadam_array *>param, <const fastadam_array *>grad,
        <const fastadam_array *>states, size, step, threads,
    ))


# Group and the Tensor that it points to have the members of fastadam_group and fastadam_tensor, in their order.
cdef Tensors *tensors_new(const Group *groups, int64_t group_count) except NULL nogil:
    cdef fastadam_tensors *tensors = api.tensors_new(<const fastadam_group *>groups, group_count)
    if tensors == NULL:
        with gil:
            raise ValueError(api.error().decode())
    return <Tensors *>tensors


cdef Tensors *tensors_new_arrays(const ArrayGroup *groups, int64_t group_count) except NULL nogil:
    cdef fastadam_tensors *tensors = api.tensors_new_arrays(<const fastadam_array_group *>groups, group_count)
    if tensors == NULL:
        with gil:
            raise ValueError(api.error().decode())
    return <Tensors *>tensors


cdef void tensors_free(Tensors *tensors) noexcept nogil:
    api.tensors_free(<fastadam_tensors *>tensors)


cdef int tensors_set_rule(Tensors *tensors, int64_t group, const Rule *rule) except -1 nogil:
    return checked(api.tensors_set_rule(<fastadam_tensors *>tensors, group, <const fastadam_rule *>rule))


cdef int tensors_step(
    Tensors *tensors, const float *const *grads, const StepOptions *options, int threads, double *norm,
) except -1 nogil:
    cdef fastadam_step_options as_in_c = step_options_in_c(options)
    return checked(api.tensors_step(
        <fastadam_tensors *>tensors, grads, NULL if options == NULL else &as_in_c, threads, norm
    ))


cdef int tensors_step_arrays(
    Tensors *tensors, const Array *grads, const StepOptions *options, int threads, double *norm,
) except -1 nogil:
    cdef fastadam_step_options as_in_c = step_options_in_c(options)
    return checked(api.tensors_step_arrays(
        <fastadam_tensors *>tensors, <const fastadam_array *>grads, NULL if options == NULL else &as_in_c, threads, norm
    ))


cdef inline fastadam_step_options step_options_in_c(const StepOptions *options) noexcept nogil:
    if options == NULL:
        return fastadam_step_options(1.0, 0.0, 0.0, 0)
    return fastadam_step_options(options.grad_scale, options.clip_value, options.max_norm, options.skip_nonfinite)


cdef int64_t *tensors_steps(Tensors *tensors) noexcept nogil:
    return api.tensors_steps(<fastadam_tensors *>tensors)


cdef int64_t tensors_skipped(const Tensors *tensors) noexcept nogil:
    return api.tensors_skipped(<const fastadam_tensors *>tensors)


cdef double global_norm(const float *const *grads, const int64_t *sizes, int64_t count, int threads) except -1 nogil:
    cdef double norm = 0.0
    checked(api.global_norm(grads, sizes, count, threads, &norm))
    return norm


cdef double global_norm_arrays(const Array *grads, const int64_t *sizes, int64_t count, int threads) except -1 nogil:
    cdef double norm = 0.0
    checked(api.global_norm_arrays(<const fastadam_array *>grads, sizes, count, threads, &norm))
    return norm


cdef int set_threads(int threads) except -1 nogil:
    return checked(api.set_threads(threads))


cdef int checked(int status) except -1 nogil:
    """0, or the error that a call has left."""
    if status != FASTADAM_OK:
        with gil:
            raise (MemoryError if status == FASTADAM_NO_MEMORY else ValueError)(api.error().decode())
    return 0


cdef int expect_size(const char *name, Py_ssize_t size, Py_ssize_t expected) except -1 nogil:
    if size != expected:
        with gil:
            raise ValueError(f"{name.decode()} has {size} elements; expected {expected}, as param has")
    return 0
