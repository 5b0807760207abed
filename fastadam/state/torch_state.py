"""Conversion of state to and from ``torch.optim``."""

import importlib
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastadam.optimizers.schedules import Values
from fastadam.state import restoring, state_dicts

if TYPE_CHECKING:
    from fastadam.optimizers.base import Optimizer

_ALWAYS_HAS_STATE = ("Adagrad",)  # torch's other optimizers create a parameter's state in its first step
_HAS_NO_STEP = ("SGD",)


def to_torch(optimizer: "Optimizer") -> dict[str, Any]:
    """See :func:`fastadam.convert.to_torch`."""
    torch: Any = importlib.import_module("torch")
    name = type(optimizer).__name__
    if not hasattr(torch.optim, name):
        raise TypeError(f"optimizer is a fastadam.{name}, which torch.optim does not have")
    groups, state, values = [], {}, Values(optimizer.step_count)
    for group, described in zip(optimizer._groups, state_dicts.describe(optimizer)["param_groups"], strict=True):
        present = group.at(values).hyperparameters
        groups.append(
            {key: getattr(present, key) for key in group.given if key != "ema_decay"} | {"params": described["params"]}
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


def from_torch(optimizer: "Optimizer", state_dict: Mapping[str, Any]) -> None:
    """See :func:`fastadam.convert.from_torch`."""
    result, members, theirs = state_dicts.describe(optimizer), optimizer._members, state_dict["state"]
    hidden = optimizer._defaults.get("decoupled_weight_decay")  # of Adam and AdamW, where it follows from the class
    numbers, groups = [], []
    for ours, group in zip(itertools.cycle(result["param_groups"]), state_dict["param_groups"], strict=False):
        numbers += group["params"]
        taken = {name: group.get(name, value) for name, value in ours.items() if name not in ("params", "param_shapes")}
        groups.append({"params": ours["params"], "param_shapes": ours["param_shapes"]} | taken)
        if "decoupled_weight_decay" not in ours and group.get("decoupled_weight_decay", hidden) != hidden:
            name = type(optimizer).__name__
            raise ValueError(f"state_dict has decoupled_weight_decay={not hidden}; expected the state of torch.optim.{name}")
    initial = [group.hyperparameters.initial_state for group in optimizer._groups for _ in range(group.size)]
    for i, (number, param, values) in enumerate(zip(numbers, members.params, initial, strict=False)):
        their = {name: value for name, value in theirs.get(number, {}).items() if value is not None and name != "mu_product"}
        step = int(their.pop("step", 1 if their else 0))  # SGD keeps no count, but has state after its first step
        arrays = {name: value.detach().cpu().numpy() for name, value in their.items()}
        if step == 0:
            arrays = {name: np.full(param.shape, value, np.float32) for name, value in values.items()} | arrays
        if "ema" in values:
            arrays["ema"] = members.backend.to_host(param)
        result["state"][i] = {"step": step, **arrays}
    step_count = max(state["step"] for state in result["state"].values())
    result |= {"param_groups": groups, "step_count": step_count, "skipped_steps": 0}
    restoring.restore(optimizer, result, "state_dict", hyperparameters="load")


def _mu_product(beta1: float, momentum_decay: float, step: int) -> float:
    """The product of NAdam's momenta up to `step`. torch stores it; our rule computes it in each step."""
    steps = np.arange(1, step + 1)
    return float(np.prod(beta1 * (1 - 0.5 * 0.96 ** (steps * momentum_decay))))
