"""Steps within ``backward()``: each parameter as soon as its gradient is ready, so that few gradients exist at a time."""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from types import TracebackType
from typing import Any, Self

import torch

from fastadam.optimizers.base import AS_GIVEN
from fastadam.torch.drop_in import DropIn
from fastadam.torch.leftovers import finish
from fastadam.torch.tensor_access import native_tensors


class StepsInBackward:
    """What :func:`step_in_backward` returns; as a context manager it removes itself at the end."""

    def __init__(self, hooks: list[Any]) -> None:
        self._hooks = hooks

    def remove(self) -> None:
        """From now on, `backward` only computes gradients again."""
        while self._hooks:
            self._hooks.pop().remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.remove()


class _Step:
    """The step of one parameter, called when its gradient is ready."""

    def __init__(self, optimizer: DropIn, group: int, index: int) -> None:
        self.optimizer, self.place = optimizer, (group, index)
        self.tensors = native_tensors(optimizer._rule_name)

    def __call__(self, param: Any) -> None:
        optimizer, (g, i) = self.optimizer, self.place
        _expect_no_norm(optimizer)
        group = optimizer.param_groups[g] if g < len(optimizer.param_groups) else {"params": []}
        if not (i < len(group["params"]) and group["params"][i] is param):
            raise RuntimeError(
                f"param_groups[{g}]['params'][{i}] is no longer the parameter that step_in_backward found there; call remove() "
                "of what it returned, and step_in_backward again"
            )
        groups, threads = [{**group, "params": [param]}], torch.get_num_threads()
        try:
            left = self.tensors.step(groups, optimizer.state, AS_GIVEN, threads)
            if type(left) is list:
                finish(optimizer, groups, self.tensors, left, AS_GIVEN, threads, self.place)
        except ValueError as error:
            raise ValueError(str(error).replace("param_groups[0]", f"param_groups[{g}]", 1)) from error.__cause__
        param.grad = None


def step_in_backward(model: torch.nn.Module, optimizer: DropIn) -> StepsInBackward:
    """Step each parameter of a model within ``backward()``, when its gradient is ready, and free the gradient at once.

    So the gradients of all parameters never exist at the same time. The results are those of ``backward()`` and a step.

    Parameters
    ----------
    model : torch.nn.Module
        Its parameters are stepped, if they require gradients. Those that `optimizer` has beside them are left to its step.
    optimizer : an optimizer of fastadam.torch
        Has the options and the state, as ever: set ``lr``, use schedulers, save and load its state dict.

    Returns
    -------
    StepsInBackward
        Has a method ``remove()``, which ends this.

    Raises
    ------
    TypeError
        If `optimizer` is another one.
    ValueError
        If a parameter of `model` requires gradients and is not in `optimizer`, or `optimizer` has a `max_norm`: the norm of all
        gradients is not known while they are computed.

    Notes
    -----
    Step hooks are not run. Do not accumulate gradients over several calls of ``backward()``, do not use GradScaler, and do not
    average gradients between processes (DistributedDataParallel): each needs a gradient after it was used. An error in a step
    comes out of ``backward()``, when other parameters may have been stepped.
    """
    if not isinstance(optimizer, DropIn):
        raise TypeError(f"optimizer is a {type(optimizer).__name__}; expected one of fastadam.torch, such as its AdamW")
    _expect_no_norm(optimizer)
    places = {param: (g, i) for g, group in enumerate(optimizer.param_groups) for i, param in enumerate(group["params"])}
    params = {name: param for name, param in model.named_parameters() if param.requires_grad}
    if missing := [name for name, param in params.items() if param not in places]:
        raise ValueError(
            f"the model's parameter {missing[0]!r} is not in the optimizer; expected all that require gradients: add it by "
            "add_param_group, or freeze it by requires_grad_(False)"
        )
    return StepsInBackward([p.register_post_accumulate_grad_hook(_Step(optimizer, *places[p])) for p in params.values()])


def _expect_no_norm(optimizer: DropIn) -> None:
    if optimizer.max_norm is not None:
        raise ValueError(
            f"the optimizer has max_norm={optimizer.max_norm}; expected None: the norm of all gradients is not known while "
            "backward() computes them; clip in ordinary steps, or set it to None"
        )
