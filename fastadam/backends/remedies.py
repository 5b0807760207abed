"""What to do about an array that a backend refused.

What is updated in place must be rebound first: of a copy made within the call, the caller would keep nothing. What is only read
can be copied within the call.
"""

from collections.abc import Sequence
from typing import Any

from fastadam.backends.dtypes import DType


def advice(reason: str, array: Any, library: str, updated: bool, dtype: str, order: Sequence[int] = ()) -> str:
    """The end of an error message.

    `library` is that of the first array's device, `dtype` the type that fits in NumPy's words, `order` that of the dimensions.
    """
    if updated and _is_from(array, "jax"):
        return (
            f"JAX arrays are immutable and cannot be updated in place: keep a NumPy array, w = numpy.array(w, numpy.{dtype}), "
            "make the optimizer over it, and pass it to your JAX functions"
        )
    name = "w" if updated else "g"
    copy = _copy(reason, array, library, name, dtype, order)
    if copy is None:
        return ""
    if updated:
        return f"rebind first, {name} = {copy}, and then pass {name}: a copy made in the call would be updated in its place"
    return f"pass {copy} for a gradient g"


def of_overlap(with_gradient: bool, of_parameters: bool, array: Any) -> str:
    """The same for arrays that share memory."""
    copy = _copy("overlap", array, "numpy", "g" if with_gradient else "w", "float32")
    if with_gradient:
        return f"pass a copy of the gradient, {copy}"
    if of_parameters:
        return (
            "pass an array that is used twice (tied weights) once, with the sum of its gradients, and in place of views that "
            "overlap the array that they are views of"
        )
    return f"rebind one of them first, w = {copy}, and pass w"


def _copy(reason: str, array: Any, library: str, name: str, dtype: str, order: Sequence[int] = ()) -> str | None:
    """An expression for an array that fits, in the words of its library."""
    is_torch = _is_from(array, "torch")
    match reason:
        case "type":
            return f"{library}.asarray({_part(name, array, dtype)}, dtype=numpy.{dtype})"
        case "device":
            if library == "cupy":
                return f"cupy.asarray({name})"
            return f"{name}.cpu()" if is_torch else f"cupy.asnumpy({name})"
        case "export" if _is_from(array, "jax"):
            return f"{library}.asarray({name}, dtype=numpy.{dtype})"
        case "export" if is_torch and (array.requires_grad or array.is_conj()):
            return name + (".detach()" if array.requires_grad else "") + (".resolve_conj()" if array.is_conj() else "")
        case "export" | "dtype" if is_torch:
            method = {"float32": "float()", "float64": "double()"}.get(dtype, f"to(torch.{dtype})")
            name = _part(name, array, dtype)
            return f"{name}.contiguous().{method}" if name.endswith("real") else f"{name}.{method}"
        case "dtype":
            return f"{_part(name, array, dtype)}.astype(numpy.{dtype})"
        case "lazy":
            return f"{name}.resolve_neg()"
        case "layout":
            turn = there = back = ""
            if [*order] != sorted(order):  # an expression that is right for every order
                turn = "permute" if is_torch else "transpose"
                there = f".{turn}({', '.join(map(str, order))})"
                back = f".{turn}({', '.join(str([*order].index(d)) for d in range(len(order)))})"
            return (f"{name}{there}.contiguous()" if is_torch else f"{library}.ascontiguousarray({name}{there})") + back
        case "alignment" | "read-only" | "overlap":
            return f"{name}.clone()" if is_torch else f"{name}.copy()"
    return None


def _part(name: str, array: Any, dtype: str) -> str:
    """The array, or its real part if a real one is wanted: that is the gradient of a real parameter."""
    return f"{name}.real" if is_complex(array) and not dtype.startswith("complex") else name


def like(array: Any, dtype: DType) -> str:
    """NumPy's name for a type, or for the complex one of two such parts if the elements of an array are complex."""
    return {"float32": "complex64", "float64": "complex128"}[dtype] if is_complex(array) else dtype


def is_complex(array: Any) -> bool:
    """Whether the elements of an array of any library are complex, or a number is."""
    dtype = getattr(array, "dtype", None)
    return isinstance(array, complex) or bool(getattr(dtype, "is_complex", getattr(dtype, "kind", "") == "c"))


def _is_from(array: Any, package: str) -> bool:
    return type(array).__module__.partition(".")[0].startswith(package)
