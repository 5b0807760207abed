"""The types of elements: which one an array has, and which the kernels know."""

from typing import Any, TypeAlias

import numpy as np

from fastadam.backends.devices import is_on_gpu
from fastadam.backends.roles import PARAM

DType: TypeAlias = str  # one of these, as the native module has it
DTYPES: tuple[DType, ...] = ("float32", "float64")


def dtype_of(array: Any) -> DType:
    """The type of an array's elements, of any library, or of the two parts of complex ones.

    float32 if the kernels know no other, which refuse the array then.
    """
    dtype = getattr(array, "dtype", None)
    if isinstance(dtype, np.dtype):
        return "float64" if dtype in (np.float64, np.complex128) else "float32"
    if dtype is None and (hasattr(array, "__dlpack__") or hasattr(array, "__cuda_array_interface__")):
        return dtype_of(_exported(array))
    return "float64" if str(dtype).rpartition(".")[2] in ("float64", "complex128") else "float32"  # as in torch.float64


def is_complex(array: Any) -> bool:
    """Whether the elements of an array of NumPy or CuPy are complex."""
    return bool(array.dtype.kind == "c")


def like(array: Any) -> np.dtype[Any]:
    """NumPy's type for arrays like one of NumPy or CuPy: that which the kernels know, or the complex one of two such parts."""
    real = dtype_of(array)
    return np.dtype({"float32": np.complex64, "float64": np.complex128}[real] if is_complex(array) else real)


def both_parts(value: float | None, dtype: np.dtype[Any]) -> complex:
    """A number for arrays of a type: if they are complex, as both parts; 0 for None."""
    return complex(value, value) if value and dtype.kind == "c" else value or 0.0


def nearest(array: Any) -> str:
    """NumPy's name for the type that comes closest to that of an array's elements: one of a DType, or complex of it."""
    dtype = getattr(array, "dtype", None)
    is_complex = getattr(dtype, "is_complex", getattr(dtype, "kind", "") == "c")
    is_real = getattr(dtype, "is_floating_point", getattr(dtype, "kind", "") == "f")
    size = getattr(dtype, "itemsize", 4)
    if is_complex:
        return "complex128" if size >= 16 else "complex64"
    return "float64" if is_real and size >= 8 else "float32"


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
