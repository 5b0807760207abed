"""What a native step cannot do as it is: parameters without state yet, gradients to copy, and what torch has to step."""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import optimizer as torchs

from fastadam._native import StepOptions, TorchTensors
from fastadam.torch import tensor_access
from fastadam.torch.new_state import NewState
from fastadam.torch.tensor_access import PLAIN, local_of

if TYPE_CHECKING:
    from fastadam.torch.drop_in import DropIn

# Options that torch's optimizers do not have, and their values with which a step is torch's.
OWN_OPTIONS: dict[str, Any] = {"ema_decay": None, "bias_correction": True, "cautious_weight_decay": False}

_Left = list[tuple[int, int, int, str]]
_Rest = dict[int, tuple[int, int, str]]  # groups, indices in them and reasons, by number


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def finish(
    optimizer: "DropIn",
    groups: list[dict[str, Any]],
    tensors: TorchTensors,
    left: _Left,
    options: StepOptions,
    threads: int,
    place: tuple[int, int] = (0, 0),
) -> Any:
    """Take the step of `groups` that `tensors` has refused because of `left`. Raises and changes nothing if that cannot be.

    `place` is where the first parameter is in the groups that the user knows.
    """
    before = tensors.step_count
    new, instead, rest = NewState(optimizer.state), dict[int, Any](), _Rest()

    def step(only_checks: bool) -> Any:
        given = rest or None, instead or None, new.numbers or None
        return tensors.step(groups, optimizer.state, options, threads, *given, only_checks)

    try:
        while True:
            for number, g, i, reason in left:
                param = groups[g]["params"][i]
                if reason == "missing" and number not in new.numbers:
                    new.make(number, param, groups[g], tensors)
                elif reason in ("grad", "aliased") and number not in instead and _can_copy(param.grad, param):
                    instead[number] = torch.empty_like(param, requires_grad=False).copy_(param.grad)
                else:
                    rest[number] = g, i, reason
            result = step(only_checks=bool(rest))
            if type(result) is not list:
                break
            left = result
        if rest:
            _expect_allowed(optimizer, groups, rest, options, place)
            _step_by_torch(optimizer, groups, rest, options.grad_scale)
            result = step(only_checks=False)
    except BaseException:
        if tensors.step_count == before:
            new.undo()
        raise
    return result


def _can_copy(grad: Any, param: Any) -> bool:
    """Whether a copy of a gradient can have the layout of its parameter."""
    like = ("layout", "dtype", "device", "shape")
    spread = [part and part[1] for part in map(local_of, (grad, param))]  # over which processes, if it is
    is_known = type(grad) in PLAIN or spread[0] is not None
    return is_known and spread[0] == spread[1] and all(getattr(grad, name) == getattr(param, name) for name in like)


def _expect_allowed(
    optimizer: "DropIn", groups: list[dict[str, Any]], rest: _Rest, options: StepOptions, place: tuple[int, int]
) -> None:
    """Say once that torch steps these parameters, or raise."""
    owning = [(g, i, reason) for g, i, reason in rest.values() if _own_option(groups[g])]
    g, i, reason = next(iter(owning or rest.values()))
    param, name = groups[g]["params"][i], f"param_groups[{place[0] + g}]['params'][{place[1] + i}]"
    found = f"{name} {_words(reason, param)}"
    if options.finds_norm:
        raise TypeError(f"{found}; expected tensors that fastadam can step, for max_norm; use torch.nn.utils.clip_grad_norm_")
    if owning:
        own = _own_option(groups[g])
        advice = f"set it to {OWN_OPTIONS[own]} in this group"
        raise TypeError(f"{found}; expected tensors that fastadam can step, for {own}; {advice}")
    if optimizer.strict:
        raise TypeError(f"{found}; expected tensors that fastadam can step, for strict=True")
    if not vars(optimizer).get("_warned"):
        vars(optimizer)["_warned"] = True
        more = f", and {len(rest) - 1} more" if len(rest) > 1 else ""
        warnings.warn(f"{found}: torch's own step is used for it{more}. This is said once", stacklevel=5)


def _own_option(group: dict[str, Any]) -> str:
    """The first option of a group that torch's step would not follow, or nothing."""
    return next((name for name, usual in OWN_OPTIONS.items() if group.get(name, usual) != usual), "")


def _words(reason: str, param: Any) -> str:
    grad = param.grad
    match reason:
        case "shard":
            return "is spread over processes, which would each find a norm of their own"
        case "type" if type(param).__name__ == "DTensor":
            return f"is a DTensor whose processes have terms of a sum, or other classes of tensors ({param.placements})"
        case "type" if type(param) not in PLAIN:
            return f"is a {type(param).__name__}, not a plain tensor"
        case "memory" | "type":
            found = f"is {param.dtype} on {param.device}"
            return f"{found}, neither float32 nor float64 nor their complex, on the CPU or an NVIDIA GPU"
        case "gpu":
            from fastadam.torch.on_gpu import missing

            return f"is on {param.device}, and {missing(tensor_access.device_of(param), tensor_access.element_of(param))}"
        case "apart":
            found = f"is {param.dtype} on {param.device}"
            return f"{found}, another type or device than the first parameter's, and their norm cannot be found in one step"
        case "layout":
            return f"does not fill its memory (shape {tuple(param.shape)}, strides {param.stride()}); .contiguous() would"
        case "lazy":
            return "is a lazy negative or conjugate; .resolve_neg().resolve_conj() is none"
        case "overlap":
            return "shares memory with another parameter or state, or is listed twice"
        case "torch":
            return "is in a group with capturable=True or differentiable=True"
        case "grad" | "aliased":
            return f"has a gradient of class {type(grad).__name__}, {grad.layout}, {grad.dtype} on {grad.device}"
        case "late":
            return "has taken steps without momentum, which would have to start with the first; make a new optimizer"
        case "fused":
            return f"is {param.dtype} on {param.device}, in a group with fused=True"
    return "has state of another layout, dtype or device, or a step that is no count"


def _step_by_torch(optimizer: "DropIn", groups: list[dict[str, Any]], rest: _Rest, scale: float) -> None:
    """Let torch step some parameters, as if they were all."""
    own, picked, chosen = optimizer.param_groups, [], dict[tuple[int, bool], list[Any]]()
    for g, i, reason in rest.values():
        chosen.setdefault((g, reason == "fused"), []).append(groups[g]["params"][i])
    for (g, keeps_fused), params in chosen.items():
        group = groups[g]
        # Torch's fused kernel is for those alone that the native step has looked at: in torch 2.13 it writes beside parameters
        # that do not fill their memory.
        picked.append({**group, "params": params} | ({} if keeps_fused or "fused" not in group else {"fused": None}))
        if group.get("fused"):
            for param in params:
                torchs._device_dtype_check_for_fused(param)
    grads = {param: param.grad for group in picked for param in group["params"]}
    hidden: dict[str, Any] = {
        name: vars(optimizer).pop(name) for name in ("grad_scale", "found_inf") if name in vars(optimizer)
    }
    try:
        if scale != 1.0:
            for param, grad in grads.items():
                param.grad = grad * scale
        optimizer.param_groups = picked
        optimizer._step_by_torch()
        optimizer.fallbacks += len(rest)
    finally:
        optimizer.param_groups = own
        vars(optimizer).update(hidden)
        if scale != 1.0:
            for param, grad in grads.items():
                param.grad = grad
