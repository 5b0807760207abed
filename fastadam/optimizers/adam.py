"""Adam, AdamW and their AMSGrad variants."""

from fastadam.optimizers.checks import Scheduled, beta_pair, flag, non_negative
from fastadam.optimizers.hyperparameters import Hyperparameter, Hyperparameters
from fastadam.optimizers.optimizer import Optimizer
from fastadam.typing import Params_co


class Adam(Optimizer[Params_co]):
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

    _rule_name = "adam"

    lr = Hyperparameter(non_negative, 1e-3, "Learning rate, at least 0.")
    betas = Hyperparameter(beta_pair, (0.9, 0.999), "Decay rates of the moments, in [0, 1).")
    eps = Hyperparameter(non_negative, 1e-8, "Added to the denominator, at least 0.")
    weight_decay = Hyperparameter(non_negative, 0.0, "At least 0.")
    amsgrad = Hyperparameter(flag, False, "Divide by the largest second moment so far.")
    maximize = Hyperparameter(flag, False, "Negate the gradient.")
    decoupled_weight_decay = Hyperparameter(flag, False, "Whether decay skips the moments.", implied=True)

    def __init__(
        self,
        params: Params_co,
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
        self._make(params, locals(), capturable)

    @staticmethod
    def _rule_state(values: Hyperparameters) -> dict[str, float]:
        return dict.fromkeys(("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if values.amsgrad else ())), 0.0)


class AdamW(Adam[Params_co]):
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

    weight_decay = Adam.weight_decay.with_default(1e-2)
    decoupled_weight_decay = Adam.decoupled_weight_decay.with_default(True)

    def __init__(
        self,
        params: Params_co,
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
        self._make(params, locals(), capturable)
