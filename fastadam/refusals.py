"""Words for the native module's refusals: which array, what was found, what was expected, what to do."""

from collections.abc import Callable
from typing import Any

from fastadam._native import Refused

PARAM, GRAD, STATE = 0, 1, 2  # roles of arrays in the native module; STATE + k is state k

# A refusal names an array by its role and the index of its tensor; a lookup gives the user's name for it and the array.
Lookup = Callable[[int, int], tuple[str, Any]]


def explain(refused: Refused, lookup: Lookup) -> Exception:
    """The exception to raise for a refusal."""
    reason, place, other_place = refused.args
    name, array = lookup(*place)
    other_name, other = lookup(*other_place)
    match reason:
        case "type":
            return TypeError(
                f"{name} is a {type(array).__name__}; expected a numpy.ndarray of dtype float32, which is used in place; "
                "make one with numpy.asarray(..., dtype=numpy.float32)"
            )
        case "dtype":
            return TypeError(
                f"{name} has dtype {array.dtype.str!r} ({array.dtype}); expected float32 in native byte order; "
                "convert it with .astype(numpy.float32)"
            )
        case "layout":
            return ValueError(
                f"{name} is not C-contiguous (shape {array.shape}, strides {array.strides}); expected a C-contiguous array; "
                "copy it with numpy.ascontiguousarray"
            )
        case "alignment":
            return ValueError(f"{name} is not aligned to 4 bytes; expected an aligned float32 array; copy it with .copy()")
        case "read-only":
            return ValueError(f"{name} is read-only; expected a writeable array, which is updated in place; pass a .copy()")
        case "shape":
            return ValueError(f"{name} has shape {array.shape}; expected {other.shape}, the shape of {other_name}")
        case "overlap":
            return ValueError(f"{name} shares memory with {other_name}; expected arrays that do not overlap; pass a .copy()")
        case "moved":
            return ValueError(
                f"{name} no longer has the memory it had when the optimizer was made (it was resized, or its data was "
                "replaced); make a new optimizer"
            )
        case "step":
            return ValueError(f"the step count of {name} is out of range; expected 0 to 2**63 - 2 steps taken before this one")
    return RuntimeError(f"{name} was refused ({reason})")
