"""The compiled kernels of a rule, one set for each combination of its flags and each device."""

import functools
from typing import Any, NamedTuple

from fastadam import _native
from fastadam.backends.cuda import source
from fastadam.backends.cuda.cupy_runtime import Kernel, gpu


class Kernels(NamedTuple):
    """The kernels of csrc/cuda/step.cu, by their names there."""

    step: Kernel
    step_list: Kernel
    step_capturable: Kernel
    advance: Kernel
    write: Kernel


@functools.cache
def of(type_name: str, flags: int, averages: bool, device: int) -> Kernels:
    """The kernels of the rule whose C++ type is `type_name`, with or without averages of parameters, for the current device."""
    return Kernels(*_compile(Kernels, "step.cu", source.options(type_name, flags, averages)))


class NormKernels(NamedTuple):
    """The kernels of csrc/cuda/norm.cu."""

    norm: Kernel
    write: Kernel


@functools.cache
def of_norms(device: int) -> NormKernels:
    """The kernel of the global norm, for the current device."""
    return NormKernels(*_compile(NormKernels, "norm.cu", source.norm_options()))


def _compile(kind: Any, name: str, options: tuple[str, ...]) -> list[Kernel]:
    return gpu().compile(source.text(name), options, tuple(f"fastadam_{field}" for field in kind._fields))


def warmup(*optimizers: Any) -> None:
    """See :func:`fastadam.warmup`."""
    for optimizer in optimizers:
        members = optimizer._members
        if members.tensors.device is None:
            raise ValueError(f"the parameters of {optimizer!r} are not on a GPU; only CUDA kernels are compiled at run time")
        members.backend.compile(members.tensors)
    if not optimizers:
        device = gpu().current()
        of_norms(device)
        for type_name, variants in _native.cuda_variants().items():
            for flags in range(variants):
                of(type_name, flags, False, device)
