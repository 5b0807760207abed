"""Conversion of state to and from ``torch.optim``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastadam.backends.dtypes import both_parts
from fastadam.optimizers import storage
from fastadam.optional import needed
from fastadam.state import restoring, state_dicts
from fastadam.state.torch_moments import as_array, as_like, mu_product, scales

if TYPE_CHECKING:
    from fastadam.optimizers.base import Optimizer

_ALWAYS_HAS_STATE = ("Adagrad",)  # torch's other optimizers create a parameter's state in its first step
_HAS_NO_STEP = ("SGD",)
_LATER = ("maximize",)  # which older torch does not have
_OURS = {
    "ema_decay": None,
    "bias_correction": True,
    "cautious_weight_decay": False,
}  # which torch does not have, and the values that it stands for
# Hyperparameters by which torch's optimizers differ; what else a group may have is how torch runs, or a user's own.
_TELLING = (
    *("alpha", "amsgrad", "betas", "centered", "dampening", "decoupled_weight_decay", "eps", "etas"),
    *("initial_accumulator_value", "lambd", "lr_decay", "momentum", "momentum_decay", "nesterov", "rho", "step_sizes", "t0"),
)


def to_torch(optimizer: "Optimizer") -> dict[str, Any]:
    """See :func:`fastadam.convert.to_torch`."""
    torch: Any = needed("torch")
    name = type(optimizer).__name__
    if not hasattr(torch.optim, name):
        raise TypeError(f"optimizer is a fastadam.{name}, which torch.optim does not have")
    groups, state, members = [], {}, optimizer._members
    schedules, dtype = members.schedules, optimizer._groups[0].hyperparameters.dtype
    present = members.groups
    if schedules is not None:
        present = schedules.groups_by(schedules.ask(schedules.asks, optimizer.step_count))
    for group in present:
        _expect_torchs(name, group.hyperparameters)
    for group, described in zip(present, state_dicts.describe(optimizer)["param_groups"], strict=True):
        groups.append(
            {key: getattr(group.hyperparameters, key) for key in group.given if key not in _own(optimizer)}
            | {"params": described["params"]}
        )
    of = [group for group in groups for _ in group["params"]]
    of_group = [group for group in present for _ in range(group.size)]
    for i, ours in optimizer.state_dict()["state"].items():
        step, ours = ours["step"], storage.decoded(of_group[i].hyperparameters, ours)
        ours.pop("ema", None)
        if step == 0 and name not in _ALWAYS_HAS_STATE:
            continue
        factors = scales(optimizer._rule_name, of[i], step, dtype)
        state[i] = {key: torch.from_numpy(_scaled(array, factors.get(key, 1.0))) for key, array in ours.items()}
        if name not in _HAS_NO_STEP:
            state[i]["step"] = torch.tensor(float(step))
        if name == "NAdam":
            state[i]["mu_product"] = torch.tensor(mu_product(of[i]["betas"][0], of[i]["momentum_decay"], step))
    return {"state": state, "param_groups": groups}


def from_torch(optimizer: "Optimizer", state_dict: Any) -> None:
    """See :func:`fastadam.convert.from_torch`."""
    state_dict = _expect_state_dict(optimizer, state_dict)
    result, members, theirs = state_dicts.describe(optimizer), optimizer._members, state_dict["state"]
    _expect_groups(optimizer, result["param_groups"], state_dict["param_groups"])
    numbers, groups, dtype = [], [], optimizer._groups[0].hyperparameters.dtype
    for ours, group in zip(result["param_groups"], state_dict["param_groups"], strict=True):
        groups.append(ours | {name: group[name] for name in optimizer._chosen if name in group})
        numbers += [(number, groups[-1]) for number in group["params"]]
    initial = [group.hyperparameters.initial_state for group in optimizer._groups for _ in range(group.size)]
    counts = [result["step_count"]] if type(optimizer).__name__ in _HAS_NO_STEP else []
    for i, ((number, group), param, values) in enumerate(zip(numbers, members.params, initial, strict=True)):
        their = {name: value for name, value in theirs.get(number, {}).items() if value is not None and name != "mu_product"}
        # SGD keeps no count, but has state after its first step.
        step = _step(i, their.pop("step", max(result["state"][i]["step"], bool(their)) if counts else 0))
        factors = scales(optimizer._rule_name, group, step, dtype)
        arrays = {
            name: _scaled(as_array(f"state_dict['state'][{number!r}][{name!r}]", value, dtype), 1.0 / factors.get(name, 1.0))
            for name, value in their.items()
        }
        kind = as_like(param, dtype)
        if not their:
            arrays = {name: np.full(param.shape, both_parts(value, kind), kind) for name, value in values.items()} | arrays
        if "ema" in values:
            arrays["ema"] = members.backend.to_host(param)
        result["state"][i] = {"step": step, **arrays}
    step_count = counts[0] if counts else max(state["step"] for state in result["state"].values())
    result |= {"param_groups": groups, "step_count": step_count, "skipped_steps": 0}
    restoring.restore(optimizer, result, "state_dict", hyperparameters="load")


def _own(optimizer: "Optimizer") -> set[str]:
    """The hyperparameters that torch does not have."""
    return {*_OURS} | {name for name, one in optimizer._declared.items() if one.is_storage}


def _scaled(array: Any, factor: float) -> Any:
    wide = np.result_type(array.dtype, np.float64)
    return array if factor == 1.0 else (array.astype(wide) * factor).astype(array.dtype)


def _step(i: int, value: Any) -> int:
    try:
        step = int(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"state_dict['state'][{i}]['step'] is {value!r}; expected a whole number") from error
    return step


def _expect_torchs(name: str, hyperparameters: Any) -> None:
    """Refuse what torch cannot go on with. Averages of the parameters are beside its steps."""
    for key in _OURS.keys() - {"ema_decay"}:
        value = getattr(hyperparameters, key, _OURS[key])
        if value != _OURS[key]:
            raise ValueError(f"optimizer has {key}={value}, which torch.optim.{name} does not have; expected {_OURS[key]}")


def _expect_state_dict(optimizer: "Optimizer", given: Any) -> Mapping[str, Any]:
    """The state dict of an optimizer of torch, which may be given itself."""
    expected = f"expected what torch.optim.{type(optimizer).__name__}(...).state_dict() returns"
    if hasattr(given, "param_groups") and callable(getattr(given, "state_dict", None)):
        given = given.state_dict()
    if not isinstance(given, Mapping):
        raise TypeError(f"state_dict is a {type(given).__name__}; {expected}")
    if not {"state", "param_groups"} <= given.keys():
        inner = [
            key for key, value in given.items() if isinstance(value, Mapping) and {"state", "param_groups"} <= value.keys()
        ]
        advice = f"pass state_dict[{inner[0]!r}], which is one" if inner else expected
        raise ValueError(f"state_dict has the keys {[*given][:10]}, without 'state' and 'param_groups'; {advice}")
    groups, state = given["param_groups"], given["state"]
    if not isinstance(state, Mapping) or not all(isinstance(each, Mapping) for each in state.values()):
        raise ValueError(f"state_dict['state'] is not a mapping from numbers to mappings; {expected}")
    if not isinstance(groups, list) or not all(isinstance(group, Mapping) and "params" in group for group in groups):
        raise ValueError(f"state_dict['param_groups'] is not a list of mappings with 'params'; {expected}")
    if "optimizer" in given and "step_count" in given:
        raise ValueError("state_dict is one of fastadam; pass it to optimizer.load_state_dict")
    return given


def _expect_groups(optimizer: "Optimizer", ours: list[dict[str, Any]], theirs: list[Mapping[str, Any]]) -> None:
    """Refuse other groups, and those of another optimizer, which its hyperparameters tell."""
    cls = f"torch.optim.{type(optimizer).__name__}"
    sizes = [[len(group["params"]) for group in groups] for groups in (theirs, ours)]
    if sizes[0] != sizes[1]:
        raise ValueError(f"state_dict has parameter groups of {sizes[0]} parameters; expected groups of {sizes[1]}")
    own = {*optimizer._chosen, *optimizer._declared} - _own(optimizer)
    for i, group in enumerate(theirs):
        unknown = [name for name in group if name in _TELLING and name not in own]
        missing = [name for name in optimizer._chosen if name in own and name not in group and name not in _LATER]
        if unknown or missing:
            words = [f"has {unknown}"] * bool(unknown) + [f"has no {missing}"] * bool(missing)
            raise ValueError(
                f"state_dict['param_groups'][{i}] {' and '.join(words)}, so it is of another optimizer; "
                f"expected the state of {cls}"
            )
        # Of Adam and AdamW, where it follows from the class.
        hidden = optimizer._defaults.get("decoupled_weight_decay")
        if "decoupled_weight_decay" not in optimizer._chosen and group.get("decoupled_weight_decay", hidden) != hidden:
            raise ValueError(f"state_dict has decoupled_weight_decay={not hidden}; expected the state of {cls}")
