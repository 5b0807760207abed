"""The compiled kernels of a rule, one set for each combination of its flags and each device."""

import functools
from typing import Any, NamedTuple

from fastadam import _native
from fastadam.cuda import source
from fastadam.cuda.gpu import Kernel, gpu
from fastadam.devices import is_on_gpu


class Kernels(NamedTuple):
    """The entry points of csrc/cuda/step.cu, under their names there."""

    step: Kernel
    step_list: Kernel
    step_capturable: Kernel
    advance: Kernel
    write: Kernel


@functools.cache
def of(type_name: str, flags: int, averages: bool, device: int) -> Kernels:
    """The kernels of the rule whose C++ type is `type_name`, with or without averages of parameters, for the current device."""
    names = tuple(f"fastadam_{name}" for name in Kernels._fields)
    return Kernels(*gpu().compile(source.text(), source.options(type_name, flags, averages), names))


def warmup(*optimizers: Any) -> None:
    """See :func:`fastadam.cuda.warmup`."""
    for optimizer in optimizers:
        members = optimizer._members
        if not is_on_gpu(members.params[0]):
            raise ValueError(f"the parameters of {optimizer!r} are not on a GPU; only CUDA kernels are compiled at run time")
        with gpu().on(members.tensors.device):
            for rule in members.rules:
                members.tensors.kernels(rule)
    if not optimizers:
        device = gpu().current()
        for type_name, variants in _native.cuda_variants().items():
            for flags in range(variants):
                of(type_name, flags, False, device)
