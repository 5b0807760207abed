"""The stateless step of Adam, on buffers that the caller owns."""

import functools
from typing import SupportsIndex

from fastadam import _native
from fastadam.backends.dispatch import backend_of
from fastadam.backends.dtypes import DType, dtype_of
from fastadam.backends.refusals import explain
from fastadam.backends.roles import GRAD
from fastadam.half import half_of
from fastadam.optimizers.adam import Adam
from fastadam.optimizers.base import AS_GIVEN
from fastadam.optimizers.checks import step_number
from fastadam.optimizers.hyperparameters import Hyperparameters
from fastadam.runtime import thread_count
from fastadam.typing import Array

_ARRAY_NAMES = ("param", "grad", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")


def _rule(
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    amsgrad: bool,
    maximize: bool,
    decoupled_weight_decay: bool,
    bias_correction: bool,
    cautious_weight_decay: bool,
    dtype: DType,
) -> _native.Rule:
    given = {name: value for name, value in locals().items() if name != "dtype"}
    return Hyperparameters(Adam, given | {"ema_decay": None}, dtype).rule


# A step with hyperparameters that were checked before costs little more than the kernel.
_cached_rule = functools.lru_cache(maxsize=64, typed=True)(_rule)


def adam_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None = None,
    *,
    step: SupportsIndex,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    bias_correction: bool = True,
    cautious_weight_decay: bool = False,
    maximize: bool = False,
    num_threads: SupportsIndex | None = None,
) -> None:
    r"""Take one step of Adam, AdamW or AMSGrad on one parameter, in place. The GIL is released while it runs.

    With :math:`g` the gradient, :math:`m` = `exp_avg`, :math:`v` = `exp_avg_sq`, :math:`t` = `step`:

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        p &\leftarrow p - \mathrm{lr} \, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \mathrm{eps}}

    :func:`fastadam.reference.adam_step` is the specification and gives the same bits.

    Parameters
    ----------
    param, grad, exp_avg, exp_avg_sq : array
        float32, float64 or complex of these, all of one type, in native byte order, all with the same shape and strides, which
        leave no gaps in memory, not overlapping, on one device: NumPy arrays, CuPy arrays, or what exports its memory by DLPack
        or ``__cuda_array_interface__``. All but `grad` are updated. Moments start as zeros.
    max_exp_avg_sq : array, optional
        If given, the step is AMSGrad's: the largest `exp_avg_sq` so far is used in the last formula.
    step : int
        The number :math:`t` of this step, from 1.
    lr : float
        Learning rate, at least 0.
    betas : (float, float)
        Decay rates of the moments, in [0, 1).
    eps : float
        Added to the denominator, at least 0.
    weight_decay : float
        At least 0. Coupled decay adds ``weight_decay * param`` to the gradient.
    decoupled_weight_decay : bool
        AdamW: multiply the parameter by ``1 - lr * weight_decay`` instead.
    bias_correction : bool
        Divide the moments by :math:`1 - \beta^t`. Without it, as in BERT's code, they are used as they are.
    cautious_weight_decay : bool
        Decay only where the update agrees in sign, as for :class:`fastadam.AdamW`. Needs `decoupled_weight_decay`.
    maximize : bool
        Negate the gradient.
    num_threads : int, optional
        The most CPU threads to use; by default :func:`fastadam.get_num_threads`.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit. A call that raises changes nothing.
    ImportError, RuntimeError
        If arrays are on a GPU, and CuPy is missing or cannot compile for it.

    References
    ----------
    Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, Algorithm 1. Loshchilov & Hutter, "Decoupled Weight
    Decay Regularization", ICLR 2019, Algorithm 2. Reddi, Kale & Kumar, "On the Convergence of Adam and Beyond", ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> param, exp_avg, exp_avg_sq = np.ones(2, np.float32), np.zeros(2, np.float32), np.zeros(2, np.float32)
    >>> fastadam.adam_step(param, np.array([1, -4], np.float32), exp_avg, exp_avg_sq, step=1, lr=0.5)
    >>> param
    array([0.5, 1.5], dtype=float32)
    """
    amsgrad = max_exp_avg_sq is not None
    flags = (amsgrad, maximize, decoupled_weight_decay, bias_correction, cautious_weight_decay)
    given = (lr, betas, eps, weight_decay, *flags, dtype_of(param))
    try:
        rule = _cached_rule(*given)
    except TypeError:  # not hashable, as betas in a list, or of a wrong type, about which the checks raise
        rule = _rule(*given)
    steps_taken = step_number("step", step) - 1
    threads = 0 if num_threads is None else thread_count("num_threads", num_threads)
    states = [exp_avg, exp_avg_sq, *([] if max_exp_avg_sq is None else [max_exp_avg_sq])]
    try:
        if grad is None:  # an optimizer would skip the parameter
            raise _native.Refused("type", (GRAD, 0), (GRAD, 0), "")
        tensors = backend_of(param).tensors([param], [states], [1], [rule], [steps_taken])
        tensors.step([grad], AS_GIVEN, threads)
    except (_native.Refused, ValueError) as refused:
        if half := half_of(param):
            raise TypeError(
                f"param has dtype {half}; expected float32, float64 or complex of these, since a step of 16 bits needs what an "
                "optimizer keeps beside them; use fastadam.AdamW(param, ...), with its master"
            ) from refused
        if not isinstance(refused, _native.Refused):
            raise
        arrays = (param, grad, *states)
        raise explain(refused, lambda role, _: (_ARRAY_NAMES[role], arrays[role])) from refused.__cause__
