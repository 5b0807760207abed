"""What a step asks of torch: where a tensor's memory is, whether it is lazy, what of it is in this process, and about GPUs."""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import sys
from typing import Any

import torch

from fastadam import _native
from fastadam.backends.dtypes import DType, dtype_of

# Classes whose instances are nothing but tensors. Others may keep their numbers elsewhere.
PLAIN = (torch.nn.Parameter, torch.Tensor)

# The C table by which DLPack says it, which newer versions of torch have.
TABLE = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)

# DLPack's numbers for dtypes: what the elements are, and their bits.
_CODES = {torch.float32: (2, 32), torch.float64: (2, 64), torch.complex64: (5, 64), torch.complex128: (5, 128)}

CPU = -1  # in place of the number of a GPU

_Described = tuple[int, tuple[int, ...], tuple[int, ...], int, int, int]


def device_of(tensor: Any) -> int | None:
    """The number of the NVIDIA GPU that a tensor is on, or CPU; None for any other device."""
    if tensor.device.type == "cpu":
        return CPU
    # A torch for AMD's GPUs calls those cuda as well.
    return tensor.device.index if tensor.device.type == "cuda" and torch.version.hip is None else None


def element_of(tensor: Any) -> DType:
    """The type of a tensor's numbers, or of their real and imaginary parts."""
    return dtype_of(tensor.real)


def described(tensor: Any) -> _Described | None:
    """Address, shape, strides, kind, bits and device of a tensor: for a torch without DLPack's table."""
    device = device_of(tensor)
    if tensor.layout is not torch.strided or device is None or tensor.dtype not in _CODES:
        return None
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), *_CODES[tensor.dtype], device


def current_stream(device: int) -> int:
    """The address of torch's current stream of a GPU."""
    return torch.cuda.current_stream(device).cuda_stream  # type: ignore[no-any-return, unused-ignore]


def float64_numbers(count: int, device: int) -> Any:
    """A tensor of so many numbers on a GPU, which have any values."""
    return torch.empty(count, dtype=torch.float64, device=torch.device("cuda", device))


def gpu_steps(device: int, dtype: DType) -> Any:
    """What steps tensors of a type on a GPU; None where this package's kernels cannot be used."""
    from fastadam.torch.on_gpu import GpuSteps  # only if needed

    return GpuSteps.on(device, dtype)


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
    return _native.TorchTensors(rule_name, TABLE, described, PLAIN, local_of, *lazy, gpu_steps)
