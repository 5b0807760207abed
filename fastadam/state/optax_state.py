"""Conversion of state to and from optax, whose Adam state is a named tuple of pytrees."""

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from fastadam.state import restoring, state_dicts

if TYPE_CHECKING:
    from fastadam.optimizers.base import Optimizer


def to_optax(optimizer: "Optimizer", params: Any = None) -> Any:
    """See :func:`fastadam.convert.to_optax`."""
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


def from_optax(optimizer: "Optimizer", state: Any) -> None:
    """See :func:`fastadam.convert.from_optax`."""
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
    restoring.restore(optimizer, result, "state", hyperparameters="keep")


def _expect_adam(optimizer: "Optimizer") -> None:
    moments, groups = [("exp_avg", 0.0), ("exp_avg_sq", 0.0)], optimizer._groups
    if optimizer._rule_name != "adam" or any([*group.hyperparameters.rule.states] != moments for group in groups):
        raise TypeError(
            f"optimizer is a fastadam.{type(optimizer).__name__} whose state is not that of optax.scale_by_adam; expected Adam "
            "or AdamW without amsgrad"
        )
