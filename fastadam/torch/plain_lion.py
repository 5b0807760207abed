"""Lion as an optimizer of torch, whose step is for what the native one cannot do."""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from typing import Any

import torch


class PlainLion(torch.optim.Optimizer):
    """Lion (Chen et al., 2023, Algorithm 2), in tensor operations.

    Parameters
    ----------
    params : iterable
        Of tensors, of pairs (name, tensor), or of groups.
    lr : float or tensor
        Step size, at least 0.
    betas : pair of float
        In [0, 1): the moment's share in the direction, and its decay.
    weight_decay : float
        Decoupled weight decay, at least 0.
    maximize : bool
        Maximize the objective.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        if not lr >= 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        for i in range(2):
            if not 0.0 <= betas[i] < 1.0:
                raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")
        if not weight_decay >= 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize})

    @torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
    def step(self, closure: Any = None) -> Any:
        """Take one step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            lr, decay, (beta1, beta2) = float(group["lr"]), float(group["weight_decay"]), group["betas"]
            for param in group["params"]:
                if param.grad is None:
                    continue
                if param.grad.is_sparse:
                    raise RuntimeError("Lion does not support sparse gradients")
                state = self.state[param]
                if not state:
                    state["step"] = torch.tensor(0.0)
                    state["exp_avg"] = torch.zeros_like(param, memory_format=torch.preserve_format)
                state["step"] += 1
                grad = -param.grad if group["maximize"] else param.grad
                moment, target = state["exp_avg"], param
                if param.is_complex():
                    grad, moment, target = (torch.view_as_real(x.resolve_conj()) for x in (grad, moment, param))
                direction = moment.mul(beta1).add_(grad, alpha=1 - beta1).sign_()
                target.mul_(1 - lr * decay).add_(direction, alpha=-lr)
                moment.mul_(beta2).add_(grad, alpha=1 - beta2)
        return loss
