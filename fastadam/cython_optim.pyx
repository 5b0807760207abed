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


# The one table of the process, so that FASTADAM_ISA and set_num_threads apply here too.
cdef const fastadam_api *api = <const fastadam_api *>PyCapsule_GetPointer(c_api, "fastadam.c_api")


cdef int adam_step_at(
    float *param, const float *grad, float *exp_avg, float *exp_avg_sq, float *max_exp_avg_sq, int64_t size, int64_t step,
    const AdamOptions *options, int threads,
) except -1 nogil:
    cdef fastadam_adam_options as_in_c = fastadam_adam_options(
        options.lr, options.beta1, options.beta2, options.eps, options.weight_decay,
        options.decoupled_weight_decay, options.maximize,
    )
    return checked(api.adam_step(param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, size, step, &as_in_c, threads))


cdef Rule *rule_new(const char *name, const RuleOption *options, int count) except NULL nogil:
    cdef fastadam_rule *rule = api.rule_new(name, <const fastadam_option *>options, count)
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
