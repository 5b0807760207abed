"""The compiled kernels of a rule, one set for each combination of its flags and each device."""

import functools
from typing import Any, NamedTuple

from fastadam import _native
from fastadam.backends.cuda import source
from fastadam.backends.cuda.cupy_runtime import Kernel, gpu
from fastadam.backends.dtypes import DType


class Kernels(NamedTuple):
    """The kernels of csrc/cuda/step.cu, by their names there."""

    step: Kernel
    step_list: Kernel
    step_capturable: Kernel
    advance: Kernel
    write: Kernel


@functools.cache
def of(type_name: str, flags: int, averages: bool, dtype: DType, device: int) -> Kernels:
    """The kernels of the rule whose C++ type is `type_name`, with or without averages of parameters, for the current device."""
    return Kernels(*_compile("step.cu", source.options(type_name, flags, averages, dtype), Kernels._fields))


class NormKernels(NamedTuple):
    """The kernels of csrc/cuda/norm.cu."""

    norm: Kernel
    write: Kernel
    norm_scaled: Kernel | None = None  # of float64

    @classmethod
    def names(cls, dtype: DType) -> tuple[str, ...]:
        """Those of a type of elements."""
        return cls._fields if dtype == "float64" else cls._fields[:2]


@functools.cache
def of_norms(dtype: DType, device: int) -> NormKernels:
    """The kernels of the global norm, for the current device."""
    return NormKernels(*_compile("norm.cu", source.norm_options(dtype), NormKernels.names(dtype)))


def _compile(name: str, options: tuple[str, ...], kernels: tuple[str, ...]) -> list[Kernel]:
    return gpu().compile(source.text(name), options, tuple(f"fastadam_{kernel}" for kernel in kernels))


def warmup(*optimizers: Any) -> None:
    """See :func:`fastadam.warmup`."""
    for optimizer in optimizers:
        members = optimizer._members
        if members.tensors.device is None:
            raise ValueError(f"the parameters of {optimizer!r} are not on a GPU; only CUDA kernels are compiled at run time")
        members.backend.compile(members.tensors)
    if not optimizers:
        device = gpu().current()
        of_norms("float32", device)
        for type_name, variants in _native.cuda_variants().items():
            for flags in range(variants):
                of(type_name, flags, False, "float32", device)
