"""Conversion of state to and from optax, whose Adam state is a named tuple of pytrees."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastadam.optimizers import storage
from fastadam.optional import needed
from fastadam.state import restoring, state_dicts

if TYPE_CHECKING:
    from fastadam.optimizers.base import Optimizer


def to_optax(optimizer: "Optimizer", params: Any = None) -> Any:
    """See :func:`fastadam.convert.to_optax`."""
    jax, jnp, optax = (needed(name) for name in ("jax", "jax.numpy", "optax"))
    _expect_adam(optimizer)
    state = optimizer.state_dict()["state"]
    of = [group.hyperparameters for group in optimizer._groups for _ in range(group.size)]
    counts = {ours["step"] for ours in state.values()}
    if len(counts) > 1:
        raise ValueError(f"optimizer has parameters at steps {sorted(counts)}; expected one count, since optax keeps only one")
    moments = []
    for name in ("exp_avg", "exp_avg_sq"):
        numbers = [storage.decoded(each, ours) for each, ours in zip(of, state.values(), strict=True)]
        leaves = [jnp.array(ours[name]) for ours in numbers]
        structured = optimizer._members.structure.unflatten(leaves)
        structured = list(structured) if isinstance(structured, tuple) else structured
        moments.append(structured if params is None else jax.tree.unflatten(jax.tree.structure(params), leaves))
    return optax.ScaleByAdamState(jnp.array(counts.pop(), jnp.int32), *moments)


def from_optax(optimizer: "Optimizer", state: Any) -> None:
    """See :func:`fastadam.convert.from_optax`."""
    jax: Any = needed("jax")
    _expect_adam(optimizer)
    if not _is_adam(state):
        found = [*_paths_to_adam(state, "state")]
        advice = f"; pass {' or '.join(found)}, of the same parameters" if found else ""
        raise TypeError(f"state is a {type(state).__name__}; expected an optax.ScaleByAdamState{advice}")
    if any(_is_masked(leaf) for leaf in jax.tree.leaves((state.mu, state.nu), is_leaf=_is_masked)):
        raise ValueError(
            "state has masked parameters, whose moments are optax.MaskedNode; make an optimizer over the others alone, and "
            "pass state._replace(mu=..., nu=...) with theirs"
        )
    result, members = state_dicts.describe(optimizer), optimizer._members
    structure = members.structure
    if structure.param_names:
        moments = [structure.flatten(f"state.{name}", getattr(state, name)) for name in ("mu", "nu")]
    else:
        leaves = structure.as_sequence()
        moments = [leaves.flatten(f"state.{name}", jax.tree.leaves(getattr(state, name))) for name in ("mu", "nu")]
    for i, (mu, nu) in enumerate(zip(*moments, strict=True)):
        result["state"][i] = {"step": int(state.count), "exp_avg": np.asanyarray(mu), "exp_avg_sq": np.asanyarray(nu)}
        if "ema" in members.states[i]:
            result["state"][i]["ema"] = members.backend.to_host(members.params[i])
    result["step_count"] = int(state.count)
    restoring.restore(optimizer, result, "state", hyperparameters="keep")


def _is_adam(state: Any) -> bool:
    return all(hasattr(state, name) for name in ("count", "mu", "nu"))


def _is_masked(leaf: Any) -> bool:
    return type(leaf).__name__ == "MaskedNode"


def _paths_to_adam(state: Any, path: str) -> Iterator[str]:
    """The expressions with which a user gets the states of Adam in a state of several transformations."""
    if _is_adam(state):
        yield path
    elif isinstance(state, Mapping):
        for key, value in state.items():
            yield from _paths_to_adam(value, f"{path}[{key!r}]")
    elif hasattr(state, "_fields"):  # a named tuple, as optax's states are
        for name in state._fields:
            yield from _paths_to_adam(getattr(state, name), f"{path}.{name}")
    elif isinstance(state, list | tuple):
        for i, value in enumerate(state):
            yield from _paths_to_adam(value, f"{path}[{i}]")


def _expect_adam(optimizer: "Optimizer") -> None:
    moments, groups = [("exp_avg", 0.0), ("exp_avg_sq", 0.0)], optimizer._groups
    if optimizer._rule_name != "adam" or any([*group.hyperparameters.rule.states] != moments for group in groups):
        raise TypeError(
            f"optimizer is a fastadam.{type(optimizer).__name__} whose state is not that of optax.scale_by_adam; expected Adam "
            "or AdamW without amsgrad"
        )
