"""Adam, AdamW and their AMSGrad variants."""

from fastadam.optimizers.base import Optimizer
from fastadam.optimizers.checks import Scheduled, beta_pair, expect_decoupled, flag, non_negative
from fastadam.optimizers.hyperparameters import Hyperparameter, Hyperparameters
from fastadam.optimizers.storage import Master, StateDType
from fastadam.typing import GivenState, Params_co


class Adam(Optimizer[Params_co]):
    r"""Adam (Kingma & Ba 2015, Algorithm 1), optionally with coupled weight decay or AMSGrad (Reddi et al. 2018).

    With :math:`g` the gradient and :math:`t` the number of the step, from 1:

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        p &\leftarrow p - \mathrm{lr} \, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \mathrm{eps}}

    With `amsgrad`, the largest :math:`v` so far replaces :math:`v` in the last line. :func:`fastadam.reference.adam_step` is
    the specification and gives the same bits.

    A good first choice if gradients are noisy, sparse or of very different sizes: each element moves by about `lr` per step,
    whatever the scale of its gradients. With weight decay, use :class:`fastadam.AdamW`.

    Parameters
    ----------
    params : array, or iterable or mapping of arrays, or list of groups
        The arrays to optimize, in place: float32 or float64 or complex of these, all of one precision, or on the CPU bfloat16
        (:class:`fastadam.bfloat16`, an array of ml_dtypes, or an export) and float16 beside float32; writeable, of any shape,
        not overlapping, on one device. They fill their memory without gaps, with their dimensions in any order, such as C's or
        Fortran's, which `state` has too. They are NumPy arrays, CuPy arrays, or arrays that export their memory by DLPack or
        ``__cuda_array_interface__``. Mappings, lists and tuples may be nested. Gradients and `state` have the same structure
        (`state` with tuples for sequences). One flat array is fastest: see :func:`fastadam.flatten`. A group is a mapping with
        ``"params"``, any of these, and the hyperparameters that differ in this group.
    lr, betas, eps, weight_decay, amsgrad, maximize
        As for :func:`fastadam.adam_step`, with the names and defaults of ``torch.optim.Adam``. All but `amsgrad` are attributes
        that can be set between steps. Each can be a schedule: a function that each step calls once with `step_count`, which
        starts at 0, and that returns the value. Schedules of optax work.
    bias_correction : bool
        If False, the last line has :math:`m` and :math:`v` as they are, as in BERT's code (Devlin et al. 2019). The first steps
        are then :math:`(1 - \beta_1^t) / \sqrt{1 - \beta_2^t}` times as long, up to 6.6 times with the default `betas`, and
        need a warm-up of `lr`. Use it to repeat a recipe that has no correction, and not otherwise.
    ema_decay : float, optional
        In [0, 1). If given, ``state["ema"]`` is an exponential moving average of the parameter with this decay rate, corrected
        for its bias towards zero (section 7.2 of the paper). It is updated in the same pass.
    capturable : bool
        Keep step counts on the GPU, so that a CUDA graph can capture and replay a step.
    state : mapping, or the structure of `params` with mappings, optional
        Memory for the state, in the structure of the attribute `state`: for each parameter a mapping of the names of its states
        to arrays as `params` may be, with the shape and strides of the parameter, which are updated in place. By default the
        optimizer makes them. What is in them is the state that the first step finds: those of a new run hold zeros (but those
        that begin with an `initial_accumulator_value`). With ``"step"``, an integer, the parameter has taken so many steps.
    state_dtype : {"float32", "bfloat16", "8bit"}
        How the states are stored, of parameters of float32, bfloat16 and float16 on the CPU: in 4, 2 or about 1 byte for each
        number. Each step rounds them by a dither that leaves their mean right. By default they have the parameters' precision.
        It is fixed once the optimizer is made, as `master` and `seed` are, and may differ between groups.
    master : {"split", "float32"}, optional
        What is kept beside a parameter of 16 bits, so that small updates are not lost: "split", the 16 bits that are a float32
        together with a bfloat16; "float32", a copy, which float16 needs; or None, nothing: a bfloat16 parameter is then rounded
        by dither.
    seed : int
        Of the dither, 0 to 4294967295. Equal seeds give equal bits.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.
    ImportError, RuntimeError
        If arrays are on a GPU, and CuPy is missing or cannot use it.

    Notes
    -----
    Memory: two floats for each parameter element, one more with `amsgrad`, one more with `ema_decay`. Different optimizers can
    step in different threads at the same time; one optimizer cannot.

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
    weight_decay = Hyperparameter(non_negative, 0.0, "At least 0.", unasked=0.01)
    amsgrad = Hyperparameter(flag, False, "Divide by the largest second moment so far.", unasked=True)
    maximize = Hyperparameter(flag, False, "Negate the gradient.")
    bias_correction = Hyperparameter(flag, True, "Correct the moments for their start at zero.", is_later=True)
    decoupled_weight_decay = Hyperparameter(flag, False, "Whether weight decay bypasses the moments.", implied=True)
    cautious_weight_decay = Hyperparameter(
        flag, False, "Decay only where the update agrees in sign.", implied=True, is_later=True
    )

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
        bias_correction: Scheduled[bool] = True,
        ema_decay: Scheduled[float] | None = None,
        capturable: bool = False,
        state: GivenState | None = None,
        state_dtype: StateDType = "float32",
        master: Master | None = "split",
        seed: int = 0,
    ) -> None:
        self._make(params, locals(), capturable, state)

    @staticmethod
    def _check_together(values: Hyperparameters) -> None:
        expect_decoupled(values.cautious_weight_decay, values.decoupled_weight_decay)


class AdamW(Adam[Params_co]):
    r"""AdamW (Loshchilov & Hutter 2019, Algorithm 2): Adam with decoupled weight decay.

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        p &\leftarrow (1 - \mathrm{lr} \, \mathrm{weight\_decay}) \, p
            - \mathrm{lr} \, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \mathrm{eps}}

    As in ``torch.optim.AdamW``, the decay is multiplied by `lr`; the paper multiplies it by the schedule only.
    :func:`fastadam.reference.adam_step` with ``decoupled_weight_decay=True`` is the specification and gives the same bits.

    The usual choice for transformers. The decay does not go through the moments, so elements with large gradients decay as much
    as others. Biases and the weights of normalization layers usually get a group of their own, without decay.

    Parameters
    ----------
    params, lr, betas, eps, amsgrad, maximize, bias_correction, ema_decay, capturable, state, state_dtype, master, seed
        As for :class:`fastadam.Adam`, which also lists the errors raised.
    weight_decay : float
        At least 0; the parameters are multiplied by ``1 - lr * weight_decay``.
    cautious_weight_decay : bool
        Decay only where the update does not have the opposite sign of the parameter (Chen et al. 2025), so not where the step
        takes the parameter away from zero. Decay then does not work against the loss, and its minima stay where they are. The
        paper tunes nothing anew for it, and reports better language models and image classifiers. Where decay is to keep all
        weights small, leave it off.

    References
    ----------
    Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, Algorithm 2. Chen et al., "Cautious Weight Decay",
    2025, https://arxiv.org/abs/2510.12402.

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
    cautious_weight_decay = Hyperparameter(flag, False, "Decay only where the update agrees in sign.", is_later=True)

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
        bias_correction: Scheduled[bool] = True,
        cautious_weight_decay: Scheduled[bool] = False,
        ema_decay: Scheduled[float] | None = None,
        capturable: bool = False,
        state: GivenState | None = None,
        state_dtype: StateDType = "float32",
        master: Master | None = "split",
        seed: int = 0,
    ) -> None:
        self._make(params, locals(), capturable, state)
