"""State to and from other libraries: ``torch.optim`` and optax. They are imported when they are needed, and not before.

Training continues there from where it stopped here, or the other way round, up to the rounding in which the libraries differ.
Parameters are the user's to carry over.
"""

from collections.abc import Mapping
from typing import Any

from fastadam.optimizers.optimizer import Optimizer
from fastadam.state import optax_state, torch_state

__all__ = ["from_optax", "from_torch", "to_optax", "to_torch"]


def to_torch(optimizer: Optimizer) -> dict[str, Any]:
    """What ``load_state_dict`` of the optimizer of the same name in ``torch.optim`` takes.

    Parameters
    ----------
    optimizer : Optimizer
        Any but Lion, which torch does not have. Schedules become their present values, and averages of parameters (`ema_decay`)
        are left out, since torch's optimizers have none.

    Returns
    -------
    dict
        A state dict for an optimizer over the same parameters in the same groups.

    Raises
    ------
    ImportError
        If torch is not installed.
    TypeError
        If torch has no such optimizer.
    """
    return torch_state.to_torch(optimizer)


def from_torch(optimizer: Optimizer, state_dict: Mapping[str, Any]) -> None:
    """Give `optimizer` the state and hyperparameters that a torch optimizer's ``state_dict()`` has.

    Parameters
    ----------
    optimizer : Optimizer
        Of the same name, over the same parameters in the same groups. An average of parameters (`ema_decay`), which torch does
        not have, starts from the parameters as they are.
    state_dict : mapping
        Of an optimizer of ``torch.optim`` whose parameters are float32. What only concerns how torch runs (``foreach``,
        ``fused``, ...) is ignored.

    Raises
    ------
    TypeError, ValueError
        If it does not fit; the message names all that differs. A call that raises changes nothing.
    """
    torch_state.from_torch(optimizer, state_dict)


def to_optax(optimizer: Optimizer, params: Any = None) -> Any:
    """The ``ScaleByAdamState`` of optax: the first member of the state of ``optax.adam`` and ``optax.adamw``.

    Parameters
    ----------
    optimizer : Adam or AdamW
        Without `amsgrad`, all of whose parameters have taken the same number of steps.
    params : pytree, optional
        The structure of the moments: one whose leaves, in JAX's order, are the optimizer's parameters. By default that of the
        optimizer: one array, a list or a dict.

    Returns
    -------
    optax.ScaleByAdamState

    Raises
    ------
    ImportError
        If JAX or optax is not installed.
    TypeError, ValueError
        If the optimizer's state is not such a one.
    """
    return optax_state.to_optax(optimizer, params)


def from_optax(optimizer: Optimizer, state: Any) -> None:
    """Give `optimizer` the moments and the step count of optax.

    Parameters
    ----------
    optimizer : Adam or AdamW
        Without `amsgrad`, over a mapping of the same keys, or a sequence of the leaves in JAX's order. An average of parameters
        (`ema_decay`) starts from the parameters as they are.
    state : optax.ScaleByAdamState
        Such as the first member of the state of ``optax.adam``.

    Raises
    ------
    ImportError
        If JAX is not installed.
    TypeError, ValueError
        If it does not fit. A call that raises changes nothing.
    """
    optax_state.from_optax(optimizer, state)
