"""State to and from other libraries: ``torch.optim`` and optax. They are imported when they are needed, and not before.

A training goes on there where it stopped here, and the other way round, up to the rounding in which the libraries differ.
Parameters are the user's to carry over.
"""

import importlib
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastadam.optimizers.optimizer import Optimizer
from fastadam.state import state_dicts

_ALWAYS_HAS_STATE = ("Adagrad",)  # torch's others make a parameter's state in its first step
_HAS_NO_STEP = ("SGD",)


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
    torch: Any = importlib.import_module("torch")
    name = type(optimizer).__name__
    if not hasattr(torch.optim, name):
        raise TypeError(f"optimizer is a fastadam.{name}, which torch.optim does not have")
    groups, state = [], {}
    for group, described in zip(optimizer._groups, state_dicts.describe(optimizer)["param_groups"], strict=True):
        options = group.at(optimizer.step_count).options
        groups.append(
            {key: getattr(options, key) for key in group.given if key != "ema_decay"} | {"params": described["params"]}
        )
    for i, ours in optimizer.state_dict()["state"].items():
        step = ours.pop("step")
        ours.pop("ema", None)
        if step == 0 and name not in _ALWAYS_HAS_STATE:
            continue
        state[i] = {key: torch.from_numpy(array) for key, array in ours.items()}
        if name not in _HAS_NO_STEP:
            state[i]["step"] = torch.tensor(float(step))
        if name == "NAdam":
            of = next(values for values in groups if i in values["params"])
            state[i]["mu_product"] = torch.tensor(_mu_product(of["betas"][0], of["momentum_decay"], step))
    return {"state": state, "param_groups": groups}


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
        If it does not fit; the message names all that differs. Then nothing has been changed.
    """
    result, members, theirs = state_dicts.describe(optimizer), optimizer._members, state_dict["state"]
    hidden = optimizer._defaults.get("decoupled_weight_decay")  # of Adam and AdamW, whose names say it
    numbers, groups = [], []
    for ours, group in zip(itertools.cycle(result["param_groups"]), state_dict["param_groups"], strict=False):
        numbers += group["params"]
        taken = {name: group.get(name, value) for name, value in ours.items() if name not in ("params", "param_shapes")}
        groups.append({"params": ours["params"], "param_shapes": ours["param_shapes"]} | taken)
        if "decoupled_weight_decay" not in ours and group.get("decoupled_weight_decay", hidden) != hidden:
            name = type(optimizer).__name__
            raise ValueError(f"state_dict has decoupled_weight_decay={not hidden}; expected the state of torch.optim.{name}")
    initial = [group.options.initial_state for group in optimizer._groups for _ in range(group.size)]
    for i, (number, param, values) in enumerate(zip(numbers, members.params, initial, strict=False)):
        their = {name: value for name, value in theirs.get(number, {}).items() if value is not None and name != "mu_product"}
        step = int(their.pop("step", 1 if their else 0))  # SGD does not count, but knows of its first
        arrays = {name: value.detach().cpu().numpy() for name, value in their.items()}
        if step == 0:
            arrays = {name: np.full(param.shape, value, np.float32) for name, value in values.items()} | arrays
        if "ema" in values:
            arrays["ema"] = members.backend.to_host(param)
        result["state"][i] = {"step": step, **arrays}
    step_count = max(state["step"] for state in result["state"].values())
    result |= {"param_groups": groups, "step_count": step_count, "skipped_steps": 0}
    state_dicts.restore(optimizer, result, strict=False, source="state_dict")


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
    jax, jnp, optax = (importlib.import_module(name) for name in ("jax", "jax.numpy", "optax"))
    _expect_adam(optimizer)
    state = optimizer.state_dict()["state"]
    counts = {ours["step"] for ours in state.values()}
    if len(counts) > 1:
        raise ValueError(f"optimizer has parameters at steps {sorted(counts)}; expected one count, since optax keeps only one")
    moments = []
    for name in ("exp_avg", "exp_avg_sq"):
        leaves = [jnp.array(ours[name]) for ours in state.values()]
        structured = optimizer._members.structure.unflatten(leaves)
        structured = list(structured) if isinstance(structured, tuple) else structured
        moments.append(structured if params is None else jax.tree.unflatten(jax.tree.structure(params), leaves))
    return optax.ScaleByAdamState(jnp.array(counts.pop(), jnp.int32), *moments)


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
        If it does not fit. Then nothing has been changed.
    """
    jax: Any = importlib.import_module("jax")
    _expect_adam(optimizer)
    if not all(hasattr(state, name) for name in ("count", "mu", "nu")):
        raise TypeError(
            f"state is a {type(state).__name__}; expected an optax.ScaleByAdamState, the first of optax.adam's state"
        )
    result, members = state_dicts.describe(optimizer), optimizer._members
    structure = members.structure
    if structure.param_names:
        moments = [structure.flatten(f"state.{name}", getattr(state, name)) for name in ("mu", "nu")]
    else:
        leaves = structure.as_sequence()
        moments = [leaves.flatten(f"state.{name}", jax.tree.leaves(getattr(state, name))) for name in ("mu", "nu")]
    for i, (mu, nu) in enumerate(zip(*moments, strict=True)):
        result["state"][i] = {"step": int(state.count), "exp_avg": np.asarray(mu), "exp_avg_sq": np.asarray(nu)}
        if "ema" in members.states[i]:
            result["state"][i]["ema"] = members.backend.to_host(members.params[i])
    result["step_count"] = int(state.count)
    state_dicts.restore(optimizer, result, strict=True, source="state")


def _expect_adam(optimizer: Optimizer) -> None:
    options = [group.options for group in optimizer._groups]
    if any(each.rule_name != "adam" or [*each.rule.states] != [("exp_avg", 0.0), ("exp_avg_sq", 0.0)] for each in options):
        raise TypeError(
            f"optimizer is a fastadam.{type(optimizer).__name__} whose state is not that of optax.scale_by_adam; expected Adam "
            "or AdamW without amsgrad"
        )


def _mu_product(beta1: float, momentum_decay: float, step: int) -> float:
    """The product of NAdam's momenta up to `step`, which torch keeps and the rule computes anew."""
    steps = np.arange(1, step + 1)
    return float(np.prod(beta1 * (1 - 0.5 * 0.96 ** (steps * momentum_decay))))
