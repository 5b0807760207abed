"""Optimizer steps for Cython: ``from fastadam.cython_optim cimport adam_options, adam_step``.

All functions may be called without the GIL and from ``prange``. Like those of Python, they raise ValueError if an argument is
invalid, or MemoryError. A call that raises changes nothing. There is nothing to include or to link.
"""

from libc.stdint cimport int64_t


# fastadam_adam_options of fastadam.h.
cdef struct AdamOptions:
    double lr
    double beta1
    double beta2
    double eps
    double weight_decay
    bint decoupled_weight_decay
    bint maximize


cdef inline AdamOptions adam_options() noexcept nogil:
    """The defaults of Adam."""
    return AdamOptions(1e-3, 0.9, 0.999, 1e-8, 0.0, False, False)


# fastadam.adam_step on the `size` elements at each address; fastadam.h has the requirements. Without
# AMSGrad, `max_exp_avg_sq` is NULL.
cdef int adam_step_at(
    float *param, const float *grad, float *exp_avg, float *exp_avg_sq, float *max_exp_avg_sq, int64_t size, int64_t step,
    const AdamOptions *options, int threads,
) except -1 nogil


# Any rule, as in fastadam.h: rule_new makes one of its name and options, which rule_free frees.
ctypedef void Rule

cdef struct RuleOption:
    const char *name
    double value

cdef Rule *rule_new(const char *name, const RuleOption *options, int count) except NULL nogil
cdef int rule_set(Rule *rule, const char *option, double value) except -1 nogil
cdef void rule_free(Rule *rule) noexcept nogil
cdef int rule_state_count(const Rule *rule) noexcept nogil

# `states` are rule_state_count(rule) addresses, each of `size` elements.
cdef int rule_init_states(const Rule *rule, const float *param, float *const *states, int64_t size) except -1 nogil
cdef int rule_step(
    const Rule *rule, float *param, const float *grad, float *const *states, int64_t size, int64_t step, int threads,
) except -1 nogil


# Many tensors, as in fastadam.h: made once, in groups of one rule each, and then stepped together.
ctypedef void Tensors

cdef struct Tensor:
    float *param
    float *const *states
    int64_t size
    int64_t steps

cdef struct Group:
    const Rule *rule
    const Tensor *tensors
    int64_t count

cdef struct StepOptions:
    double grad_scale
    double clip_value
    double max_norm
    bint skip_nonfinite


cdef inline StepOptions step_options() noexcept nogil:
    """The defaults: gradients are used as they are."""
    return StepOptions(1.0, 0.0, 0.0, False)


cdef Tensors *tensors_new(const Group *groups, int64_t group_count) except NULL nogil
cdef void tensors_free(Tensors *tensors) noexcept nogil
cdef int tensors_set_rule(Tensors *tensors, int64_t group, const Rule *rule) except -1 nogil

# `norm` may be NULL.
cdef int tensors_step(
    Tensors *tensors, const float *const *grads, const StepOptions *options, int threads, double *norm,
) except -1 nogil
cdef int64_t *tensors_steps(Tensors *tensors) noexcept nogil
cdef int64_t tensors_skipped(const Tensors *tensors) noexcept nogil


# Arrays of float64, or of any type, as in fastadam.h.
cdef enum:
    FLOAT32 = 0
    FLOAT64 = 1

cdef struct Array:
    void *elements
    void *scales
    int dtype

cdef struct ArrayTensor:
    Array param
    const Array *states
    int64_t size
    int64_t steps

cdef struct ArrayGroup:
    const Rule *rule
    const ArrayTensor *tensors
    int64_t count


cdef inline Array array_of(const double *elements) noexcept nogil:
    """An array of float64."""
    return Array(<void *>elements, NULL, FLOAT64)


cdef int adam_step_arrays(
    const Array *param, const Array *grad, const Array *exp_avg, const Array *exp_avg_sq, const Array *max_exp_avg_sq,
    int64_t size, int64_t step, const AdamOptions *options, int threads,
) except -1 nogil
cdef Rule *rule_new_for(int dtype, const char *name, const RuleOption *options, int count) except NULL nogil
cdef int rule_init_states_arrays(const Rule *rule, const Array *param, const Array *states, int64_t size) except -1 nogil
cdef int rule_step_arrays(
    const Rule *rule, const Array *param, const Array *grad, const Array *states, int64_t size, int64_t step, int threads,
) except -1 nogil
cdef double global_norm_arrays(const Array *grads, const int64_t *sizes, int64_t count, int threads) except -1 nogil
cdef Tensors *tensors_new_arrays(const ArrayGroup *groups, int64_t group_count) except NULL nogil
cdef int tensors_step_arrays(
    Tensors *tensors, const Array *grads, const StepOptions *options, int threads, double *norm,
) except -1 nogil


# The norm of all elements of `count` arrays, and the default number of threads of the process, as in fastadam.h.
cdef double global_norm(const float *const *grads, const int64_t *sizes, int64_t count, int threads) except -1 nogil
cdef int set_threads(int threads) except -1 nogil


# Raises ValueError unless an array has the size of the parameter.
cdef int expect_size(const char *name, Py_ssize_t size, Py_ssize_t expected) except -1 nogil


cdef inline int adam_step(
    float[::1] param, const float[::1] grad, float[::1] exp_avg, float[::1] exp_avg_sq, int64_t step,
    AdamOptions options, int threads=0,
) except -1 nogil:
    """One step of Adam or AdamW, in place, on up to `threads` threads (0: the default of the process)."""
    cdef Py_ssize_t size = param.shape[0]
    expect_sizes(size, grad.shape[0], exp_avg.shape[0], exp_avg_sq.shape[0], size)
    if size == 0:
        return 0
    return adam_step_at(&param[0], &grad[0], &exp_avg[0], &exp_avg_sq[0], NULL, size, step, &options, threads)


cdef inline int amsgrad_step(
    float[::1] param, const float[::1] grad, float[::1] exp_avg, float[::1] exp_avg_sq, float[::1] max_exp_avg_sq,
    int64_t step, AdamOptions options, int threads=0,
) except -1 nogil:
    """The same for AMSGrad."""
    cdef Py_ssize_t size = param.shape[0]
    expect_sizes(size, grad.shape[0], exp_avg.shape[0], exp_avg_sq.shape[0], max_exp_avg_sq.shape[0])
    if size == 0:
        return 0
    return adam_step_at(&param[0], &grad[0], &exp_avg[0], &exp_avg_sq[0], &max_exp_avg_sq[0], size, step, &options, threads)


# Both for float64.
cdef inline int adam_step_double(
    double[::1] param, const double[::1] grad, double[::1] exp_avg, double[::1] exp_avg_sq, int64_t step,
    AdamOptions options, int threads=0,
) except -1 nogil:
    cdef Py_ssize_t size = param.shape[0]
    expect_sizes(size, grad.shape[0], exp_avg.shape[0], exp_avg_sq.shape[0], size)
    if size == 0:
        return 0
    cdef Array *arrays = [array_of(&param[0]), array_of(&grad[0]), array_of(&exp_avg[0]), array_of(&exp_avg_sq[0])]
    return adam_step_arrays(&arrays[0], &arrays[1], &arrays[2], &arrays[3], NULL, size, step, &options, threads)


cdef inline int amsgrad_step_double(
    double[::1] param, const double[::1] grad, double[::1] exp_avg, double[::1] exp_avg_sq, double[::1] max_exp_avg_sq,
    int64_t step, AdamOptions options, int threads=0,
) except -1 nogil:
    cdef Py_ssize_t size = param.shape[0]
    expect_sizes(size, grad.shape[0], exp_avg.shape[0], exp_avg_sq.shape[0], max_exp_avg_sq.shape[0])
    if size == 0:
        return 0
    cdef Array *arrays = [
        array_of(&param[0]), array_of(&grad[0]), array_of(&exp_avg[0]), array_of(&exp_avg_sq[0]), array_of(&max_exp_avg_sq[0]),
    ]
    return adam_step_arrays(&arrays[0], &arrays[1], &arrays[2], &arrays[3], &arrays[4], size, step, &options, threads)


cdef inline int expect_sizes(
    Py_ssize_t size, Py_ssize_t grad, Py_ssize_t exp_avg, Py_ssize_t exp_avg_sq, Py_ssize_t max_exp_avg_sq,
) except -1 nogil:
    expect_size("grad", grad, size)
    expect_size("exp_avg", exp_avg, size)
    expect_size("exp_avg_sq", exp_avg_sq, size)
    return expect_size("max_exp_avg_sq", max_exp_avg_sq, size)
