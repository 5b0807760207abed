"""Where an array is: in the CPU's memory or on a GPU."""

import sys
from typing import Any

import numpy as np

_DLPACK_CUDA = (2, 13)  # DLPack's device types for CUDA: device memory and managed memory


def has(array: Any, name: str) -> bool:
    """Whether `array` has an attribute, even one that cannot be read: who uses it finds out why."""
    try:
        return hasattr(array, name)
    except MemoryError:  # no fault of the array
        raise
    except Exception:
        return True


def is_array(array: Any) -> bool:
    """Whether `array` is an array of any library."""
    return isinstance(array, np.ndarray) or has(array, "__dlpack__") or has(array, "__cuda_array_interface__")


def is_on_gpu(array: Any) -> bool:
    """Whether `array` is an array on a GPU, of any library."""
    if isinstance(array, np.ndarray):
        return False
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(array, cupy.ndarray):
        return True
    if hasattr(array, "__dlpack_device__"):
        return _dlpack_device(array)[0] in _DLPACK_CUDA
    return hasattr(array, "__cuda_array_interface__")


def _dlpack_device(array: Any) -> tuple[int, int]:
    device = array.__dlpack_device__()
    if not isinstance(device, tuple) or len(device) != 2:
        raise TypeError(
            f"a {type(array).__name__} says that its __dlpack_device__() is {device!r}; expected two numbers, as DLPack has "
            "them; pass numpy.asarray(array), if that shares its memory"
        )
    return device


def gpu_of(array: Any) -> int | None:
    """The number of the GPU that `array` is on, if the array says it."""
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(array, cupy.ndarray):
        return int(array.data.device_id)
    return _dlpack_device(array)[1] if hasattr(array, "__dlpack_device__") else None


def place_of(array: Any) -> str:
    """Where `array` is, in words."""
    if not is_on_gpu(array):
        return "in the CPU's memory"
    number = gpu_of(array)
    return "on a GPU" if number is None else f"on GPU {number}"


def is_masked(array: Any) -> bool:
    """Whether an array has a mask, which nothing here would heed."""
    return type(array) is not np.ndarray and isinstance(array, np.ma.MaskedArray)


def is_lazy(array: Any) -> bool:
    """Whether an array stands for the negatives of the numbers in its memory, which its export does not say.

    PyTorch's tensors may: the imaginary part of a conjugate is one. They say so by a method.
    """
    return not isinstance(array, np.ndarray) and hasattr(type(array), "is_neg") and array.is_neg() is True
