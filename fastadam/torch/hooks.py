"""Step hooks and the profiler's ranges, without torch's wrapper around each step while neither is in use."""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.autograd import profiler
from torch.optim import optimizer as torchs

_is_compiling = torch.compiler.is_compiling


def hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step that runs hooks, and says to a profiler what it is, as torch's are; if one calls another, only the first does.

    While torch compiles its caller, it runs as it is written, for the same bits.
    """
    with_hooks, eagerly = torchs.Optimizer.profile_hook_step(step), torch._disable_dynamo(step)

    @functools.wraps(step)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _is_compiling():
            return eagerly(self, *args, **kwargs)
        own = self.__dict__
        if not (
            own["_optimizer_step_pre_hooks"]
            or own["_optimizer_step_post_hooks"]
            or torchs._global_optimizer_pre_hooks
            or torchs._global_optimizer_post_hooks
            or profiler._is_profiler_enabled
        ) or own.get("_in_step"):
            return step(self, *args, **kwargs)
        own["_in_step"] = True
        try:
            return with_hooks(self, *args, **kwargs)
        finally:
            own.pop("_in_step", None)

    wrapper.hooked = True  # type: ignore[attr-defined]  # by which torch knows that it need not wrap it
    return wrapper


def unhooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """The function that torch, or :func:`hooked`, has wrapped."""
    return step.__wrapped__ if getattr(step, "hooked", False) else step  # type: ignore[attr-defined]
