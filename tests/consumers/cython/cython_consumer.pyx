# cython: language_level=3, boundscheck=False, wraparound=False
"""An extension module that trains with fastadam's Cython interface: an ensemble of fits, from start to end without the GIL."""

from cython.parallel cimport prange
from libc.stdint cimport int64_t

from fastadam.cython_optim cimport (
    AdamOptions,
    Rule,
    RuleOption,
    adam_options,
    adam_step,
    amsgrad_step,
    rule_free,
    rule_init_states,
    rule_new,
    rule_set,
    rule_state_count,
    rule_step,
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
