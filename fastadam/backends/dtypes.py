"""The types of elements: which one an array has, and which the kernels know."""

from typing import Any, TypeAlias

import numpy as np

DType: TypeAlias = str  # "float32" or "float64", as the native module has it


def dtype_of(array: Any) -> DType:
    """The type of an array's elements, of any library; float32 if the kernels know no other, which refuse the array then."""
    dtype = getattr(array, "dtype", None)
    if isinstance(dtype, np.dtype):
        return "float64" if dtype == np.float64 else "float32"
    if dtype is None and hasattr(array, "__dlpack__"):
        return dtype_of(_exported(array))
    return "float64" if str(dtype).rpartition(".")[2] == "float64" else "float32"  # as in torch.float64


def nearest(array: Any) -> DType:
    """The type that comes closest to that of an array's elements, or of their two parts if they are complex."""
    dtype = getattr(array, "dtype", None)
    is_complex = getattr(dtype, "is_complex", getattr(dtype, "kind", "") == "c")
    is_real = getattr(dtype, "is_floating_point", getattr(dtype, "kind", "") == "f")
    size = getattr(dtype, "itemsize", 4)
    return "float64" if (is_real and size >= 8) or (is_complex and size >= 16) else "float32"


def _exported(array: Any) -> Any:
    try:
        return np.from_dlpack(array)
    except MemoryError:
        raise
    except Exception:  # the backend finds out why
        return None
