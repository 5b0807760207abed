"""Adam without its bias correction, as hyperparameters of :class:`fastadam.Adam`."""

import math
from typing import Any

import numpy as np

from fastadam.optimizers.checks import Scheduled


def uncorrected(
    lr: Scheduled[float] = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: Scheduled[float] = 1e-8,
    decoupled_weight_decay: Scheduled[float] | None = None,
) -> dict[str, Any]:
    r"""Hyperparameters that make :class:`fastadam.Adam` and :class:`fastadam.AdamW` step without bias correction.

    The step of Algorithm 1 of Kingma & Ba (2015) equals :math:`\alpha_t \, m / (\sqrt{v} + \epsilon_t)` with
    :math:`\alpha_t = \mathrm{lr} \sqrt{1 - \beta_2^t} / (1 - \beta_1^t)` and :math:`\epsilon_t = \mathrm{eps}
    \sqrt{1 - \beta_2^t}` (its section 2). Schedules of the learning rate and eps cancel both factors, up to float32 rounding.

    Parameters
    ----------
    lr, eps : float or schedule
        As for :class:`fastadam.Adam`.
    betas : (float, float)
        Decay rates of the moments, in [0, 1).
    decoupled_weight_decay : float or schedule, optional
        That of :class:`fastadam.AdamW`, which multiplies it by the learning rate. A schedule of it cancels the factor in that.

    Returns
    -------
    dict
        ``lr``, ``betas`` and ``eps`` for an optimizer, and ``weight_decay`` if a decoupled one was given.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> from fastadam.viz import uncorrected
    >>> weights = np.zeros(1, np.float32)
    >>> fastadam.Adam(weights, **uncorrected(lr=0.1)).step(np.ones(1, np.float32))
    >>> weights.round(2)  # sqrt(10) times as far as with the correction: 0.1 * (1 - 0.9) / sqrt(1 - 0.999)
    array([-0.32], dtype=float32)
    """
    beta1, beta2 = (float(np.float32(beta)) for beta in betas)  # as the kernel rounds them

    def root(count: int) -> float:
        return math.sqrt(1 - beta2 ** (count + 1))

    def factor(count: int) -> float:
        return (1 - beta1 ** (count + 1)) / root(count)

    def at(value: Any, count: int) -> float:
        value = value(count) if callable(value) else value
        return float(value)

    hyperparameters: dict[str, Any] = {
        "lr": lambda count: at(lr, count) * factor(count),
        "betas": betas,
        "eps": lambda count: at(eps, count) / root(count),
    }
    if decoupled_weight_decay is not None:
        hyperparameters["weight_decay"] = lambda count: at(decoupled_weight_decay, count) / factor(count)
    return hyperparameters
