# cython: language_level=3, boundscheck=False, wraparound=False
"""An extension module that trains with fastadam's Cython interface: an ensemble of fits, from start to end without the GIL."""

from cython.parallel cimport prange
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from fastadam.cython_optim cimport (
    FLOAT64,
    AdamOptions,
    Array,
    ArrayGroup,
    ArrayTensor,
    Group,
    Rule,
    RuleOption,
    StepOptions,
    Tensor,
    Tensors,
    adam_options,
    adam_step,
    adam_step_double,
    amsgrad_step,
    amsgrad_step_double,
    array_of,
    global_norm,
    global_norm_arrays,
    rule_free,
    rule_init_states,
    rule_init_states_arrays,
    rule_new,
    rule_new_for,
    rule_set,
    rule_state_count,
    rule_step,
    rule_step_arrays,
    step_options,
    tensors_free,
    tensors_new,
    tensors_new_arrays,
    tensors_skipped,
    tensors_step,
    tensors_step_arrays,
    tensors_steps,
)


def train(
    const float[:, ::1] targets, float[:, ::1] params, float[:, ::1] grads, float[:, ::1] exp_avgs, float[:, ::1] exp_avg_sqs,
    double lr, int64_t steps,
):
    """Move each row of `params` towards its row of `targets`, each row on a thread."""
    cdef Py_ssize_t row
    for row in prange(params.shape[0], nogil=True, schedule="static"):
        fit(targets[row], params[row], grads[row], exp_avgs[row], exp_avg_sqs[row], lr, steps)


cdef int fit(
    const float[::1] target, float[::1] param, float[::1] grad, float[::1] exp_avg, float[::1] exp_avg_sq,
    double lr, int64_t steps,
) except -1 nogil:
    cdef Py_ssize_t i
    cdef int64_t step
    cdef AdamOptions options = adam_options()
    options.lr = lr
    for step in range(1, steps + 1):
        for i in range(param.shape[0]):
            grad[i] = param[i] - target[i]
        adam_step(param, grad, exp_avg, exp_avg_sq, step, options)
    return 0


def repeat(float[::1] param, const float[::1] grad, float[::1] exp_avg, float[::1] exp_avg_sq, int64_t steps):
    """Steps 1 to `steps` with one gradient."""
    cdef int64_t step
    cdef AdamOptions options = adam_options()
    with nogil:
        for step in range(1, steps + 1):
            adam_step(param, grad, exp_avg, exp_avg_sq, step, options, 1)


def take(
    float[::1] param, const float[::1] grad, float[::1] exp_avg, float[::1] exp_avg_sq, max_exp_avg_sq, int64_t step, **changes
):
    """One step with these changes to the default options."""
    cdef AdamOptions options = <dict>adam_options() | changes
    if max_exp_avg_sq is None:
        adam_step(param, grad, exp_avg, exp_avg_sq, step, options)
    else:
        amsgrad_step(param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, step, options)


def take_double(
    double[::1] param, const double[::1] grad, double[::1] exp_avg, double[::1] exp_avg_sq, max_exp_avg_sq, int64_t step,
    **changes,
):
    """The same for float64."""
    cdef AdamOptions options = <dict>adam_options() | changes
    if max_exp_avg_sq is None:
        adam_step_double(param, grad, exp_avg, exp_avg_sq, step, options)
    else:
        amsgrad_step_double(param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, step, options)


def adagrad(float[::1] param, const float[::1] grad, float[::1] sums, double begin, double later_lr):
    """Two steps of AdaGrad from sums that begin with a value, the second at another rate. How many states it keeps."""
    cdef RuleOption *options = [
        RuleOption("lr", 0.5),
        RuleOption("lr_decay", 0.0),
        RuleOption("eps", 0.0),
        RuleOption("weight_decay", 0.0),
        RuleOption("initial_accumulator_value", begin),
    ]
    cdef float **states = [&sums[0]]
    cdef Rule *rule = rule_new("adagrad", options, 5)
    try:
        with nogil:
            rule_init_states(rule, &param[0], states, param.shape[0])
            rule_step(rule, &param[0], &grad[0], states, param.shape[0], 1, 0)
            rule_set(rule, "lr", later_lr)
            rule_step(rule, &param[0], &grad[0], states, param.shape[0], 2, 0)
        return rule_state_count(rule)
    finally:
        rule_free(rule)


def adagrad_double(double[::1] param, const double[::1] grad, double[::1] sums, double begin, max_norm):
    """A step of AdaGrad by itself and one with a norm, which is returned, both of float64."""
    cdef RuleOption *options = [
        RuleOption("lr", 0.5),
        RuleOption("lr_decay", 0.0),
        RuleOption("eps", 0.0),
        RuleOption("weight_decay", 0.0),
        RuleOption("initial_accumulator_value", begin),
    ]
    cdef Array weights = array_of(&param[0]), gradient = array_of(&grad[0]), state = array_of(&sums[0])
    cdef Rule *rule = rule_new_for(FLOAT64, "adagrad", options, 5)
    cdef ArrayTensor tensor = ArrayTensor(weights, &state, param.shape[0], 1)
    cdef ArrayGroup group = ArrayGroup(rule, &tensor, 1)
    cdef Tensors *made = NULL
    cdef StepOptions step = step_options()
    cdef int64_t size = param.shape[0]
    cdef double norm
    step.max_norm = max_norm
    try:
        with nogil:
            rule_init_states_arrays(rule, &weights, &state, size)
            rule_step_arrays(rule, &weights, &gradient, &state, size, 1, 0)
            made = tensors_new_arrays(&group, 1)
            tensors_step_arrays(made, &gradient, &step, 0, &norm)
        return norm, norm == global_norm_arrays(&gradient, &size, 1, 0)
    finally:
        tensors_free(made)
        rule_free(rule)


def sgd_of_groups(float[::1] first, float[::1] second, const float[::1] grad, float[::1] average, max_norm, bint skips):
    """A step of two tensors in groups of different rates, the second with an average: its norm, counts and skipped steps."""
    cdef RuleOption *options = [
        RuleOption("lr", 0.5),
        RuleOption("momentum", 0.0),
        RuleOption("dampening", 0.0),
        RuleOption("weight_decay", 0.0),
        RuleOption("ema_decay", 0.5),
    ]
    cdef Rule *plain = rule_new("sgd", options, 4)
    cdef Rule *averaging = rule_new("sgd", options, 5)
    cdef float **states = [&average[0]]
    cdef Tensor *tensors = [
        Tensor(&first[0], NULL, first.shape[0], 0),
        Tensor(&second[0], states, second.shape[0], 7),
    ]
    cdef Group *groups = [Group(plain, &tensors[0], 1), Group(averaging, &tensors[1], 1)]
    cdef const float **grads = [&grad[0], &grad[0]]
    cdef int64_t *sizes = [first.shape[0], second.shape[0]]
    cdef Tensors *made = NULL
    cdef StepOptions step = step_options()
    cdef double norm
    step.max_norm, step.skip_nonfinite = max_norm, skips
    try:
        rule_set(averaging, "lr", 0.25)
        made = tensors_new(groups, 2)
        with nogil:
            tensors_step(made, grads, &step, 0, &norm)
        same = norm == global_norm(grads, sizes, 2, 0) or norm != norm
        return norm, same, [tensors_steps(made)[0], tensors_steps(made)[1]], tensors_skipped(made)
    finally:
        tensors_free(made)
        rule_free(plain)
        rule_free(averaging)


def repeat_many(float[:, ::1] param, float[:, ::1] grad, float[:, ::1] exp_avg, float[:, ::1] exp_avg_sq, int64_t steps):
    """Steps 1 to `steps` of Adam, with one gradient for each row, a tensor."""
    cdef RuleOption *options = [
        RuleOption("lr", 1e-3),
        RuleOption("beta1", 0.9),
        RuleOption("beta2", 0.999),
        RuleOption("eps", 1e-8),
        RuleOption("weight_decay", 0.0),
    ]
    cdef Py_ssize_t count = param.shape[0], i
    cdef int64_t step
    cdef Rule *adam = rule_new("adam", options, 5)
    cdef Tensor *tensors = <Tensor *>malloc(count * sizeof(Tensor))
    cdef float **states = <float **>malloc(2 * count * sizeof(float *))
    cdef const float **grads = <const float **>malloc(count * sizeof(float *))
    cdef Group *groups = [Group(adam, tensors, count)]
    cdef Tensors *made = NULL
    try:
        for i in range(count):
            states[2 * i], states[2 * i + 1], grads[i] = &exp_avg[i, 0], &exp_avg_sq[i, 0], &grad[i, 0]
            tensors[i] = Tensor(&param[i, 0], &states[2 * i], param.shape[1], 0)
        made = tensors_new(groups, 1)
        with nogil:
            for step in range(steps):
                tensors_step(made, grads, NULL, 1, NULL)
    finally:
        tensors_free(made)
        rule_free(adam)
        free(tensors)
        free(states)
        free(grads)
