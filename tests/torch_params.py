"""Parameters of PyTorch with gradients."""

import torch


def param_with_grad(value=1.0, shape=(3,), **options):
    param = torch.nn.Parameter(torch.full(shape, value, **options))
    param.grad = torch.full_like(param, 0.5, requires_grad=False)
    return param
