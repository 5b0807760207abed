# cython: language_level=3, boundscheck=False, wraparound=False
"""An extension module that trains with fastadam's Cython interface: an ensemble of fits, from start to end without the GIL."""

from cython.parallel cimport prange
from libc.stdint cimport int64_t

from fastadam.cython_optim cimport AdamOptions, adam_options, adam_step, amsgrad_step


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
