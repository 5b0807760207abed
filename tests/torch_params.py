"""Parameters of PyTorch with gradients, and the layouts that they have."""

import numpy as np
import torch

import fastadam.torch

# The optimizers.
CLASSES = [name for name in fastadam.torch.__all__ if isinstance(getattr(fastadam.torch, name), type)]

# How each layout is made from a tensor of its shape. All fill their memory.
LAYOUTS = {
    "vector": ((37,), lambda t: t),
    "matrix": ((5, 7), lambda t: t),
    "transposed": ((7, 5), lambda t: t.t().contiguous().t()),
    "channels last": ((2, 3, 4, 5), lambda t: t.contiguous(memory_format=torch.channels_last)),
    "permuted": ((3, 4, 5), lambda t: t.permute(1, 2, 0).contiguous().permute(2, 0, 1)),
    "with a dimension of one": ((4, 1, 3), lambda t: t.as_strided((4, 1, 3), (3, 99, 1))),
    "one number": ((), lambda t: t),
    "empty": ((0, 3), lambda t: t),
    "in the middle": ((11,), lambda t: torch.cat([torch.zeros(3), t, torch.zeros(2)])[3:14]),
    "large": ((70_001,), lambda t: t),
}


def in_memory_order(tensor):
    """A NumPy vector over the memory of a tensor that fills it."""
    tensor = tensor.detach()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    array = tensor.numpy()
    return np.lib.stride_tricks.as_strided(array, (array.size,), (array.itemsize,))


def param_with_grad(value=1.0, shape=(3,), **options):
    param = torch.nn.Parameter(torch.full(shape, value, **options))
    param.grad = torch.full_like(param, 0.5, requires_grad=False)
    return param


def optimizer_of(variant, params, **options):
    """Ours over tensors."""
    return getattr(fastadam.torch, variant.kind.cls.__name__)(params, **{"weight_decay": 0.0} | dict(variant.given) | options)


def optimizers(variant, params, **options):
    """Ours over tensors, and the package's over vectors with the same numbers."""
    arrays = [in_memory_order(param).copy() for param in params]
    return optimizer_of(variant, params, **options), variant.make(arrays, **options)


def expect_same(ours, numpys, params):
    for param, array, state in zip(params, numpys._members.params, numpys.state, strict=True):
        np.testing.assert_array_equal(in_memory_order(param), array)
        for name, values in state.items():
            if name == "step":
                assert ours.state[param].get("step", values) == values
            else:
                np.testing.assert_array_equal(in_memory_order(ours.state[param][name]), values)
    assert ours.fallbacks == 0


def plain(value):
    """Numbers, texts and bytes in place of tensors, to compare bit by bit."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), value.shape, value.detach().numpy().tobytes()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def contents(optimizer):
    """All that an optimizer and its parameters hold, in this form."""
    params = [param for group in optimizer.param_groups for param in group["params"]]
    return plain([params, optimizer.state_dict()])
