"""The CUDA backend: steps arrays on a GPU with kernels that CuPy compiles at first use. CuPy is imported only when needed."""

from typing import Any


def warmup(*optimizers: Any) -> None:
    """Compile CUDA kernels now instead of at the first step. CuPy caches them on disk, for later processes too.

    Parameters
    ----------
    *optimizers : Optimizer
        Compile the kernels that these need, with their present hyperparameters. Without any: all kernels, except those with
        `ema_decay`, for the current GPU. This takes about half a second for each combination of a rule's flags.

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
