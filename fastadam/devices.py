"""Where an array lives, and which backend serves it: NumPy arrays the CPU's, arrays on a GPU that of CUDA."""

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fastadam.backend import Backend

_DLPACK_CUDA = (2, 13)  # DLPack's device types of CUDA: its own memory, and managed memory


def is_array(array: Any) -> bool:
    """Whether `array` is an array of any library."""
    return isinstance(array, np.ndarray) or hasattr(array, "__dlpack__") or hasattr(array, "__cuda_array_interface__")


def is_on_gpu(array: Any) -> bool:
    """Whether `array` is an array on a GPU, of whatever library."""
    if isinstance(array, np.ndarray):
        return False
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(array, cupy.ndarray):
        return True
    if hasattr(array, "__dlpack_device__"):
        return array.__dlpack_device__()[0] in _DLPACK_CUDA
    return hasattr(array, "__cuda_array_interface__")


def backend_of(array: Any) -> "Backend":
    """The backend for parameters like `array`; for what is no array the CPU's, which will say so."""
    if is_on_gpu(array):
        from fastadam.cuda import backend as cuda

        return cuda
    from fastadam import cpu

    return cpu


def place_of(array: Any) -> str:
    """Where `array` is, in words."""
    if not is_on_gpu(array):
        return "in the CPU's memory"
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(array, cupy.ndarray):
        return f"on GPU {array.data.device_id}"
    return f"on GPU {array.__dlpack_device__()[1]}" if hasattr(array, "__dlpack_device__") else "on a GPU"
