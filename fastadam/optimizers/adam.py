"""Adam, AdamW and their AMSGrad variants."""

import contextlib
import functools
from types import MappingProxyType
from typing import Any, ClassVar, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from fastadam import _native
from fastadam.backends.dispatch import backend_of
from fastadam.backends.refusals import explain
from fastadam.backends.roles import GRAD
from fastadam.optimizers.checks import Scheduled, beta_pair, non_negative, step_number
from fastadam.optimizers.optimizer import AS_GIVEN, Optimizer
from fastadam.optimizers.options import Options
from fastadam.optimizers.param_groups import Hyperparameter
from fastadam.runtime import thread_count

_ARRAY_NAMES = ("param", "grad", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")


class AdamOptions(Options):
    """Hyperparameters of Adam."""

    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    amsgrad: bool
    maximize: bool
    decoupled_weight_decay: bool

    rule_name = "adam"
    implied = ("decoupled_weight_decay",)
    checks = MappingProxyType({"lr": non_negative, "betas": beta_pair, "eps": non_negative, "weight_decay": non_negative})


_cached_options = functools.lru_cache(maxsize=64, typed=True)(AdamOptions)


def _options(**hyperparameters: Any) -> AdamOptions:
    """Options for a stateless step, which costs little more than the kernel if they were checked before."""
    with contextlib.suppress(TypeError):  # not hashable (betas as a list), or of a wrong type, which the checks will say
        return _cached_options(**hyperparameters)
    return AdamOptions(**hyperparameters)


def adam_step(
    param: NDArray[np.float32],
    grad: NDArray[np.float32],
    exp_avg: NDArray[np.float32],
    exp_avg_sq: NDArray[np.float32],
    max_exp_avg_sq: NDArray[np.float32] | None = None,
    *,
    step: SupportsIndex,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
    num_threads: SupportsIndex | None = None,
) -> None:
    r"""Take one step of Adam, AdamW or AMSGrad on one parameter, in place. The GIL is released while it runs.

    With :math:`g` the gradient, :math:`m` = `exp_avg`, :math:`v` = `exp_avg_sq`, :math:`t` = `step`:

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        p &\leftarrow p - \mathrm{lr} \, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \mathrm{eps}}

    :func:`fastadam.reference.adam_step` is the specification, and gives the same bits.

    Parameters
    ----------
    param, grad, exp_avg, exp_avg_sq : array
        float32 in native byte order, C-contiguous, of one shape, which may be any, without common memory, and all in one
        place: NumPy arrays, CuPy arrays, or what exports its memory by DLPack or ``__cuda_array_interface__``. All but `grad`
        are updated. Moments start as zeros.
    max_exp_avg_sq : array, optional
        If given, the step is AMSGrad's: the largest `exp_avg_sq` so far takes its place in the last formula.
    step : int
        The number :math:`t` of this step; the first is 1.
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
    maximize : bool
        Negate the gradient.
    num_threads : int, optional
        How many of the CPU's threads to use at most; by default as many as :func:`fastadam.get_num_threads` says.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit. Then nothing has been changed.
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
    options = _options(
        lr=lr,
        betas=betas,
        eps=eps,
        weight_decay=weight_decay,
        amsgrad=max_exp_avg_sq is not None,
        maximize=maximize,
        decoupled_weight_decay=decoupled_weight_decay,
    )
    steps_taken = step_number("step", step) - 1
    threads = 0 if num_threads is None else thread_count("num_threads", num_threads)
    states = [exp_avg, exp_avg_sq, *([] if max_exp_avg_sq is None else [max_exp_avg_sq])]
    try:
        if grad is None:  # which an optimizer takes for a parameter to leave alone
            raise _native.Refused("type", (GRAD, 0), (GRAD, 0), "")
        tensors = backend_of(param).tensors([param], [states], [1], [options.rule], [steps_taken])
        tensors.step([grad], AS_GIVEN, threads)
    except _native.Refused as refused:
        arrays = (param, grad, *states)
        raise explain(refused, lambda role, _: (_ARRAY_NAMES[role], arrays[role])) from None


class Adam(Optimizer):
    r"""Adam (Kingma & Ba 2015, Algorithm 1), with coupled weight decay and AMSGrad (Reddi et al. 2018) as options.

    With :math:`g` the gradient and :math:`t` the number of the step, from 1:

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        p &\leftarrow p - \mathrm{lr} \, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \mathrm{eps}}

    With `amsgrad` the largest :math:`v` so far takes its place in the last line. :func:`fastadam.reference.adam_step` is the
    specification, and gives the same bits.

    The first choice where gradients are noisy or sparse, or of very different sizes in different parameters: an element moves
    by about `lr` in a step, whatever the scale of its gradients. Where there is weight decay, take :class:`fastadam.AdamW`.

    Parameters
    ----------
    params : array, or sequence, iterator or mapping of arrays, or list of groups
        What to optimize, in place: float32 arrays, C-contiguous and writeable, of any shapes, without common memory, on the
        CPU (NumPy) or on one GPU (CuPy), or exporting such memory by DLPack or ``__cuda_array_interface__``. Gradients and
        `state` have the same structure. One flat array is the fastest: :func:`fastadam.flatten`. A group is a mapping
        from ``"params"`` to any of these, and from names of hyperparameters to what they are in this group.
    lr, betas, eps, weight_decay, amsgrad, maximize
        As for :func:`adam_step`, with the names and defaults of ``torch.optim.Adam``. All but `amsgrad` are attributes that
        may be set between steps. Each may be a schedule, a function that is called before each step with
        `step_count`, from 0 on, and returns the value, as those of optax are.
    ema_decay : float, optional
        In [0, 1). If given, ``state["ema"]`` is an exponential moving average of the parameter, with this decay rate and
        without bias towards zero (the paper's section 7.2). Updated in the same pass.
    capturable : bool
        Keep step counts on the GPU, so that a CUDA graph can capture and repeat a step.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.
    ImportError, RuntimeError
        If arrays are on a GPU, and CuPy is missing or cannot use it.

    Notes
    -----
    Memory: two floats per parameter element, one more with `amsgrad`, one with `ema_decay`, and nothing else that grows with
    the model. Different optimizers may step in different threads at once; one optimizer may not.

    References
    ----------
    Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, Algorithm 1. Reddi, Kale & Kumar, "On the Convergence
    of Adam and Beyond", ICLR 2018, Algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> weights = np.ones(3, np.float32)
    >>> optimizer = fastadam.Adam(weights, lr=0.1)
    >>> optimizer.step(np.array([1, -2, 0], np.float32))
    >>> weights
    array([0.9, 1.1, 1. ], dtype=float32)
    >>> int(optimizer.state["step"])
    1
    """

    _decoupled_weight_decay: ClassVar[bool] = False

    _options_type = AdamOptions

    lr = Hyperparameter()
    betas = Hyperparameter()
    eps = Hyperparameter()
    weight_decay = Hyperparameter()
    amsgrad = Hyperparameter()
    maximize = Hyperparameter()

    def __init__(
        self,
        params: Any,
        lr: Scheduled[float] = 1e-3,
        betas: Scheduled[tuple[float, float]] = (0.9, 0.999),
        eps: Scheduled[float] = 1e-8,
        weight_decay: Scheduled[float] = 0.0,
        amsgrad: Scheduled[bool] = False,
        *,
        maximize: Scheduled[bool] = False,
        ema_decay: Scheduled[float] | None = None,
        capturable: bool = False,
    ) -> None:
        hyperparameters = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": self._decoupled_weight_decay,
            "ema_decay": ema_decay,
        }
        super().__init__(params, hyperparameters, capturable)


class AdamW(Adam):
    r"""AdamW (Loshchilov & Hutter 2019, Algorithm 2): Adam with decoupled weight decay.

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        p &\leftarrow (1 - \mathrm{lr} \, \mathrm{weight\_decay}) \, p
            - \mathrm{lr} \, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \mathrm{eps}}

    As in ``torch.optim.AdamW``, the decay is multiplied by the whole `lr`; the paper multiplies it by the schedule alone.
    :func:`fastadam.reference.adam_step` with ``decoupled_weight_decay=True`` is the specification, and gives the same bits.

    The usual choice for transformers. The decay does not pass through the moments, so that it is as strong on elements with
    large gradients as on others. It is customary to leave biases and the weights of normalizations without decay, in a group
    of their own.

    Parameters
    ----------
    params, lr, betas, eps, amsgrad, maximize, ema_decay, capturable
        As for :class:`fastadam.Adam`, and so are errors.
    weight_decay : float
        At least 0; the parameters are multiplied by ``1 - lr * weight_decay``.

    References
    ----------
    Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, Algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> weights = np.ones(2, np.float32)
    >>> fastadam.AdamW(weights, lr=0.25, weight_decay=0.5).step(np.array([1, 0], np.float32))
    >>> weights
    array([0.625, 0.875], dtype=float32)
    """

    _decoupled_weight_decay = True

    def __init__(
        self,
        params: Any,
        lr: Scheduled[float] = 1e-3,
        betas: Scheduled[tuple[float, float]] = (0.9, 0.999),
        eps: Scheduled[float] = 1e-8,
        weight_decay: Scheduled[float] = 1e-2,
        amsgrad: Scheduled[bool] = False,
        *,
        maximize: Scheduled[bool] = False,
        ema_decay: Scheduled[float] | None = None,
        capturable: bool = False,
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, ema_decay=ema_decay, capturable=capturable
        )
