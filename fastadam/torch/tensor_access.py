"""What the native step asks of torch: where a tensor's memory is, whether it is lazy, and what of it is in this process."""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import sys
from typing import Any

import torch

from fastadam import _native

# Classes whose instances are nothing but tensors. Others may keep their numbers elsewhere.
PLAIN = (torch.nn.Parameter, torch.Tensor)

# The C table by which DLPack says it, which newer versions of torch have.
TABLE = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)

# DLPack's numbers for dtypes: what the elements are, and their bits.
_CODES = {torch.float32: (2, 32), torch.float64: (2, 64), torch.complex64: (5, 64)}

_Described = tuple[int, tuple[int, ...], tuple[int, ...], int, int]


def described(tensor: Any) -> _Described | None:
    """Address, shape, strides, kind and bits of a tensor in the CPU's memory: for a torch without DLPack's table."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.dtype not in _CODES:
        return None
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), *_CODES[tensor.dtype]


def local_of(tensor: Any) -> tuple[Any, tuple[Any, ...]] | None:
    """The part of a DTensor that is in this process, and how the whole is spread; None for anything else.

    Also None if the processes have terms of a sum: a step of each would not be a step of the sum.
    """
    module = sys.modules.get("torch.distributed.tensor")  # which nothing here imports
    if module is None or type(tensor) is not module.DTensor or any(each.is_partial() for each in tensor.placements):
        return None
    return tensor._local_tensor, (tensor.device_mesh, tensor.placements, tensor.shape)


def native_tensors(rule_name: str) -> _native.TorchTensors:
    """The native side of an optimizer."""
    lazy = torch.Tensor.is_neg, torch.Tensor.is_conj
    return _native.TorchTensors(rule_name, TABLE, described, PLAIN, local_of, *lazy)
