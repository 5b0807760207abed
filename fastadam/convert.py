"""Conversion of state to and from ``torch.optim`` and optax, which are imported on first use.

Training continues where it stopped, up to differences in rounding between the libraries. Copy the parameters yourself.
Decay rates are float32 numbers here and float64 numbers in torch: moments are scaled, so that bias correction gives the same.
"""

from typing import Any

from fastadam.optimizers.base import Optimizer
from fastadam.state import optax_state, torch_state

__all__ = ["from_optax", "from_torch", "to_optax", "to_torch"]


def to_torch(optimizer: Optimizer) -> dict[str, Any]:
    """Convert state to a state dict for the optimizer of the same name in ``torch.optim``.

    Parameters
    ----------
    optimizer : Optimizer
        Any but Lion and ADOPT, which torch does not have. Schedules are asked for the next step and become their values.
        Averages of parameters (`ema_decay`) are left out, because torch's optimizers have none. What else torch does not have
        is refused: ``bias_correction=False`` and ``cautious_weight_decay=True``.

    Returns
    -------
    dict
        A state dict for an optimizer with the same parameters in the same groups.

    Raises
    ------
    ImportError
        If torch is not installed.
    TypeError
        If torch has no optimizer of this name.
    ValueError
        If a hyperparameter is one that torch's optimizer does not have.
    """
    return torch_state.to_torch(optimizer)


def from_torch(optimizer: Optimizer, state_dict: Any) -> None:
    """Set the state and hyperparameters of `optimizer` to those of a torch optimizer's ``state_dict()``.

    Parameters
    ----------
    optimizer : Optimizer
        Of the same name, with the same parameters in the same groups. An average of parameters (`ema_decay`), which torch does
        not have, starts from their current values.
    state_dict : mapping or torch.optim.Optimizer
        The state dict of an optimizer of ``torch.optim``, or the optimizer itself. Floating-point moments of other precisions
        are rounded to float32. Settings of how torch runs (``foreach``, ``fused``, ...) are ignored. A schedule here stays, and
        so does `step_count` of SGD, since torch counts no steps of SGD.

    Raises
    ------
    TypeError, ValueError
        If it does not fit, such as the state of another optimizer or a whole checkpoint; the message says what to pass. A call
        that raises changes nothing.
    """
    torch_state.from_torch(optimizer, state_dict)


def to_optax(optimizer: Optimizer, params: Any = None) -> Any:
    """Convert state to optax's ``ScaleByAdamState``, the first member of the state of ``optax.adam`` and ``optax.adamw``.

    Parameters
    ----------
    optimizer : Adam or AdamW
        Without `amsgrad`. All parameters must have taken the same number of steps.
    params : pytree, optional
        The structure for the moments, whose leaves in JAX's order are the optimizer's parameters. By default the structure of
        the optimizer: one array, a list or a dict.

    Returns
    -------
    optax.ScaleByAdamState

    Raises
    ------
    ImportError
        If JAX or optax is not installed.
    TypeError, ValueError
        If optax has no such state.
    """
    return optax_state.to_optax(optimizer, params)


def from_optax(optimizer: Optimizer, state: Any) -> None:
    """Set the moments and the step count of `optimizer` to those of optax.

    Parameters
    ----------
    optimizer : Adam or AdamW
        Without `amsgrad`, with a mapping of the same keys, or a sequence of the leaves in JAX's order. An average of parameters
        (`ema_decay`) starts from their current values.
    state : optax.ScaleByAdamState
        Such as the first member of the state of ``optax.adam``. Of a state of several transformations, which is refused, the
        message says which member to pass.

    Raises
    ------
    ImportError
        If JAX is not installed.
    TypeError, ValueError
        If it does not fit. A call that raises changes nothing.
    """
    optax_state.from_optax(optimizer, state)
