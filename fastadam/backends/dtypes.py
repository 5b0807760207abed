"""The types of elements: which one an array has, and which the kernels know."""

from typing import Any, TypeAlias

import numpy as np

from fastadam.backends.devices import is_on_gpu
from fastadam.backends.roles import PARAM

DType: TypeAlias = str  # one of these, as the native module has it
DTYPES: tuple[DType, ...] = ("float32", "float64")


def dtype_of(array: Any) -> DType:
    """The type of an array's elements, of any library; float32 if the kernels know no other, which refuse the array then."""
    dtype = getattr(array, "dtype", None)
    if isinstance(dtype, np.dtype):
        return "float64" if dtype == np.float64 else "float32"
    if dtype is None and (hasattr(array, "__dlpack__") or hasattr(array, "__cuda_array_interface__")):
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
        if is_on_gpu(array):
            from fastadam.backends.cuda import arrays  # only if needed

            return arrays.taken_over(array, (PARAM, 0), False)
        return np.from_dlpack(array)
    except MemoryError:
        raise
    except Exception:  # the backend finds out why
        return None
