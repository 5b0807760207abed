"""What all classes of ``fastadam.torch`` share: one native call for a step, and torch's own step for what it cannot do."""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch

from fastadam._native import StepOptions
from fastadam.optimizers.base import AS_GIVEN
from fastadam.optimizers.checks import flag, optional_decay_rate, positive
from fastadam.torch.hooks import hooked, unhooked
from fastadam.torch.leftovers import OWN_OPTIONS, finish
from fastadam.torch.tensor_access import native_tensors

_threads = torch.get_num_threads


class DropIn:
    """The part of an optimizer that steps; the other part is torch's class."""

    _rule_name: ClassVar[str]  # the native rule
    _torchs: ClassVar[type]  # torch's class
    _own_flags: ClassVar[tuple[str, ...]] = ()  # options that torch's class does not have
    _step_supports_amp_scaling = True  # so that GradScaler leaves scaling and skipping to step

    #: Whether a parameter that torch would have to step is an error.
    strict = False
    #: The largest global norm of the gradients, for steps that are not given one; None: no limit.
    max_norm: float | None = None
    #: The norm that a step with `max_norm` found last, before clipping: a float, or a 0-d tensor on the GPU.
    last_norm: Any = None
    #: How many times torch's own step has stepped a parameter in place of this package's kernels.
    fallbacks = 0

    param_groups: list[dict[str, Any]]
    state: Any
    defaults: dict[str, Any]

    def __init__(
        self,
        *args: Any,
        strict: bool = False,
        max_norm: float | None = None,
        ema_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        own: dict[str, Any] = {name: flag(name, kwargs.pop(name)) for name in self._own_flags if name in kwargs}
        own["ema_decay"] = optional_decay_rate("ema_decay", ema_decay)
        super().__init__(*args, **kwargs)
        self.strict = strict
        self.max_norm = None if max_norm is None else positive("max_norm", max_norm)
        self.defaults.update({name: value for name, value in own.items() if value != OWN_OPTIONS[name]})
        self._fill_in_own_options()

    def _fill_in_own_options(self) -> None:
        """Give groups the options that torch's constructors, and torch's state dicts, do not have."""
        for name in [name for name in OWN_OPTIONS if name in self.defaults]:
            for group in self.param_groups:
                group.setdefault(name, self.defaults[name])

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        self._fill_in_own_options()

    def __getstate__(self) -> dict[str, Any]:
        own: Any = super().__getstate__()
        return {**own, "strict": self.strict, "max_norm": self.max_norm}

    def _patch_step_function(self) -> None:
        cls = type(self)
        self._zero_grad_profile_name = f"Optimizer.zero_grad#{cls.__name__}.zero_grad"
        if not getattr(cls.step, "hooked", False):  # a user's subclass has a step of its own
            cls.step = hooked(cls.step)  # type: ignore[method-assign]

    def step(self, closure: Callable[[], Any] | None = None, *, max_norm: float | None = None) -> Any:
        """Take one step, in one native call. On a GPU it is queued on torch's current stream.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss and the gradients anew and returns the loss.
        max_norm : float, optional
            Above 0; by default the attribute `max_norm`. If the global norm of all gradients is larger, the step is as if
            they were multiplied by ``max_norm / norm``. They stay as they are. Infinity only computes the norm.

        Returns
        -------
        object
            What `closure` returns. Without one, the norm if there is a `max_norm`, else None. It is a float, or for tensors on
            a GPU a 0-d float64 tensor there, since a step does not wait for the GPU.

        Raises
        ------
        ValueError
            If an option of a group is out of range, such as a negative ``lr`` that a scheduler has set.
        TypeError
            If torch would have to step a parameter and `strict` is set, or there is a `max_norm`, or its group has `ema_decay`.
        RuntimeError
            If another thread is stepping this optimizer, a kernel does not compile for the GPU, or a CUDA graph is being
            captured and a group has no ``capturable=True``; or what torch's step raises.

        Notes
        -----
        A call that raises changes nothing, unless it is torch's own step that raises.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        own = self.__dict__
        if max_norm is None:
            max_norm = self.max_norm
        options = AS_GIVEN
        if max_norm is not None or "found_inf" in own or "grad_scale" in own:
            found_inf = own.get("found_inf")
            if found_inf is not None and found_inf.item():
                return loss
            options = _options(max_norm, own.get("grad_scale"))
        tensors = own.get("_tensors")
        if tensors is None:
            tensors = own["_tensors"] = native_tensors(self._rule_name)
        norm: Any = tensors.step(self.param_groups, self.state, options, _threads())
        if type(norm) is list:
            norm = finish(self, self.param_groups, tensors, norm, options, _threads())
        if norm is None:
            return loss
        self.last_norm = norm
        return norm if closure is None else loss

    step = hooked(step)

    def _step_by_torch(self) -> None:
        """Torch's own step, of `param_groups`."""
        unhooked(self._torchs.step)(self)  # type: ignore[attr-defined]


def _options(max_norm: float | None, grad_scale: Any) -> StepOptions:
    """The options of a step; `grad_scale` is what GradScaler has multiplied the gradients by."""
    return StepOptions(
        1.0 if grad_scale is None else 1.0 / grad_scale.item(),
        math.inf,
        None if max_norm is None else positive("max_norm", max_norm),
    )
