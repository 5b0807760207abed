"""The state of parameters that have not been stepped: as torch would make it, and gone again if there is no step."""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from typing import Any

import torch

from fastadam._native import TorchTensors
from fastadam.torch import tensor_access
from fastadam.torch.tensor_access import CPU


class NewState:
    """What was made for a step."""

    def __init__(self, state: Any) -> None:
        self._state = state
        self._made: list[tuple[Any, dict[str, Any]]] = []  # parameters, with what they had before
        self.numbers: set[int] = set()

    def make(self, number: int, param: Any, group: dict[str, Any], tensors: TorchTensors) -> None:
        """Give a parameter the state that its first step starts with."""
        before = self._state.get(param, {})
        old = {name: value for name, value in before.items() if value is not None}
        new, was_stepped = dict(old), bool(old)
        wide = torch.get_default_dtype() == torch.float64 and not group.get("fused")
        for name, value in tensors.scalars(group):
            if name not in old:  # of one that was stepped, only SGD has none
                new[name] = torch.tensor(float(was_stepped) or value, dtype=torch.float64 if wide else torch.float32)
            elif torch.is_tensor(old[name]) and tensor_access.device_of(old[name]) != CPU:  # as load_state_dict may have put it
                new[name] = torch.tensor(old[name].item(), dtype=old[name].dtype)
        for name, value in tensors.states(group):
            if name not in old:
                start = complex(value, value) if param.is_complex() else value
                new[name] = torch.full_like(param, start, memory_format=torch.preserve_format, requires_grad=False)
                if name == "ema" and was_stepped:
                    new[name].copy_(param)
        self._made.append((param, before))
        self.numbers.add(number)
        self._state[param] = new

    def undo(self) -> None:
        """Put back what was there."""
        for param, old in self._made:
            if old:
                self._state[param] = old
            else:
                self._state.pop(param, None)
