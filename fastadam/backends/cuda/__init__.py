"""The CUDA backend: arrays on a GPU, stepped by kernels that CuPy compiles at first use. Nothing here imports CuPy early."""

from typing import Any


def warmup(*optimizers: Any) -> None:
    """Compile CUDA kernels now instead of at the first step. CuPy keeps what it compiled on disk, for later processes too.

    Parameters
    ----------
    *optimizers : Optimizer
        Compile what these need, with their present options. Without any: every kernel there is but those with `ema_decay`,
        for the current GPU, which takes about half a second for each combination of a rule's options.

    Raises
    ------
    ImportError
        If CuPy is not installed.
    RuntimeError
        If there is no driver or GPU that CuPy can use, or the GPU is too old for the installed compiler.
    ValueError
        If an optimizer's parameters are not on a GPU.
    """
    from fastadam.backends.cuda import kernels

    kernels.warmup(*optimizers)
