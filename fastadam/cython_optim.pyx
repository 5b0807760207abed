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

    ctypedef struct fastadam_api:
        const char *(*error)() noexcept nogil
        int (*adam_step)(
            float *param, const float *grad, float *exp_avg, float *exp_avg_sq, float *max_exp_avg_sq, int64_t size,
            int64_t step, const fastadam_adam_options *options, int threads,
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
    cdef int status = api.adam_step(
        param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, size, step, &as_in_c, threads
    )
    if status != FASTADAM_OK:
        with gil:
            raise (MemoryError if status == FASTADAM_NO_MEMORY else ValueError)(api.error().decode())
    return 0


cdef int expect_size(const char *name, Py_ssize_t size, Py_ssize_t expected) except -1 nogil:
    if size != expected:
        with gil:
            raise ValueError(f"{name.decode()} has {size} elements; expected {expected}, as param has")
    return 0
