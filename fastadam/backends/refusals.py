"""Error messages for a backend's refusals: which array, what was found, what was expected, what to do."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastadam._native import Refused
from fastadam.backends import layouts, remedies
from fastadam.backends.devices import is_array, is_on_gpu, place_of
from fastadam.backends.dtypes import dtype_of, is_complex, nearest
from fastadam.backends.roles import GRAD, PARAM
from fastadam.half import float32_of, half_of

_REMEDIES = {"master": "dtype", "block order": "layout"}  # reasons with the remedies of others

# A refusal names an array by its role and the index of its tensor; a lookup gives the user's name for it and the array.
Lookup = Callable[[int, int], tuple[str, Any]]


def explain(refused: Refused, lookup: Lookup, only_read: bool = False) -> Exception:
    """The exception to raise for a refusal. `only_read`: no array was to be updated, whatever its role."""
    reason, place, other_place, detail = refused.args
    name, array = lookup(*place)
    other_name, other = lookup(*other_place)
    first_name, first = lookup(PARAM, 0)
    library = "cupy" if is_on_gpu(first) else "numpy"
    if reason == "master":
        detail = "float32"  # of a copy
    if reason in ("type", "export") and is_array(array) and is_on_gpu(array) != is_on_gpu(first):
        reason, other_name, other = "device", first_name, first
    updated = not only_read and place[0] != GRAD
    kinds = "float32, float64, complex64 or complex128"
    own = array if only_read or place[0] == PARAM else lookup(PARAM, place[1])[1]  # which decides whether it is complex
    wanted = remedies.like(own, dtype_of(first))
    by_others = reason != "master" and (array is not first or dtype_of(array) != detail)  # whether they decide the type
    is_pair = place != other_place  # of which one is complex, and the other is not
    if reason in ("dtype", "master"):
        wanted = nearest(array) if not by_others else detail if is_pair else remedies.like(own, detail)
    like = other if reason == "layout" and place != other_place else None
    advice = remedies.advice(
        _REMEDIES.get(reason, reason), array, library, updated, wanted, () if like is None else _order(like)
    )
    match reason:
        case "type":
            return TypeError(
                f"{name} is a {type(array).__name__}; expected a {library}.ndarray of dtype {kinds}, which is used in place, "
                f"or an array that exports its memory by DLPack; {advice}"
            )
        case "export":
            why = detail.partition("\n")[0]  # without a traceback
            return TypeError(
                f"{name} is a {type(array).__name__} whose memory cannot be used in place: {why}; expected a "
                f"{library}.ndarray of dtype {kinds}, or an array that exports its memory{advice and '; '}{advice}"
            )
        case "capturing":
            return RuntimeError(
                f"{name} is a {type(array).__name__}, and while a CUDA graph is captured no array of another library can be "
                "taken over: the captured stream would wait for what that library has queued, which ends the capture; take it "
                "over once, before the capture, and pass that array: cupy.from_dlpack(...) or cupy.asarray(...)"
            )
        case "device":
            return ValueError(
                f"{name} is {place_of(array)}, but {other_name} is {place_of(other)}; expected all arrays of an optimizer "
                f"on one device; {advice}"
            )
        case "dtype" | "master":
            dtype = trait(array, "dtype")
            found = f"{dtype.str!r} ({dtype})" if hasattr(dtype, "str") else f"{dtype}"
            whose = "the optimizer's other arrays" if array is first else first_name
            trait_of_others = "dtype" if wanted == detail else "precision"
            whose = other_name if is_pair else whose
            expected = f"{wanted}, the {trait_of_others} of {whose}," if by_others else kinds
            if reason == "master":
                advice = f"pass master='float32', by which a float32 copy of it is stepped and rounded to it; or {advice}"
            elif dtype == np.uint16:
                advice += "; or pass fastadam.bfloat16(array), if these are the bits of such numbers"
            return TypeError(f"{name} has dtype {found}; expected {expected} in native byte order; {advice}")
        case "codes":
            return TypeError(
                f"{name} has dtype {trait(array, 'dtype')}; expected {detail}, in which this optimizer stores it by its "
                "state_dtype and master; pass arrays like those that it makes itself, which its attribute state has"
            )
        case "exponents":
            return ValueError(
                f"{name} has shape {trait(array, 'shape')}; expected ({detail},) without gaps, one exponent for each block of "
                "128 elements; pass arrays like those that an optimizer makes itself, which its attribute state has"
            )
        case "bits":
            return TypeError(f"{name} has bits that are no numpy.ndarray of uint16; pass fastadam.bfloat16 of one")
        case "storage":
            return ValueError(
                f"{name} has dtype {trait(array, 'dtype')}; expected float32, bfloat16 or float16, whose states alone can have "
                "another state_dtype; leave state_dtype out for it, in a group of its own if it has to be"
            )
        case "block order":
            return ValueError(
                f"{name} has its dimensions in an order of its own (strides {trait(array, 'strides')}); expected C's for "
                f"state_dtype='8bit', whose blocks are runs of elements; {advice}"
            )
        case "masked":
            return TypeError(
                f"{name} is a masked array, whose mask would be ignored; expected an array without a mask; pass its values "
                "(its attribute data), or for a gradient those of filled(0)"
            )
        case "lazy":
            return ValueError(
                f"{name} is a lazy negative of the numbers in its memory, as the imaginary part of a conjugate is; expected an "
                f"array whose memory has its numbers; {advice}"
            )
        case "layout":
            found = f"(shape {trait(array, 'shape')}, strides {trait(array, 'strides')})"
            if like is None:
                return ValueError(
                    f"{name} does not fill its memory without gaps {found}; expected a C-contiguous array, or one with its "
                    f"dimensions in another order; {advice}"
                )
            return ValueError(
                f"{name} is laid out otherwise than {other_name} {found}; expected the strides {trait(like, 'strides')}, since "
                f"both are gone through in the order of memory; {advice}"
            )
        case "alignment":
            return ValueError(f"{name} is not aligned to its elements of {wanted}; expected an aligned array; {advice}")
        case "read-only":
            return ValueError(f"{name} is read-only; expected a writeable array, which is updated in place; {advice}")
        case "shape":
            shapes = trait(array, "shape"), trait(other, "shape")
            return ValueError(f"{name} has shape {shapes[0]}; expected {shapes[1]}, the shape of {other_name}")
        case "overlap":
            advice = remedies.of_overlap(GRAD in (place[0], other_place[0]), place[0] == other_place[0] == PARAM, array)
            return ValueError(f"{name} shares memory with {other_name}; expected arrays that do not overlap; {advice}")
        case "moved":
            return ValueError(
                f"{name} no longer has the memory it had when the optimizer was made (it was resized, or its data was "
                "replaced); make a new optimizer"
            )
        case "nonfinite":
            order, shape = _order(array), trait(array, "shape")
            values = float32_of(array) if half_of(array) else np.from_dlpack(array)
            element = int(detail) // (2 if is_complex(values) else 1)  # the detail counts both parts
            places = dict(zip(order, np.unravel_index(element, [shape[d] for d in order]), strict=True))
            index = tuple(int(places[d]) for d in range(len(order)))
            value = values[index].item()
            return FloatingPointError(
                f"{name} is not finite: it has {value} at {list(index)}; nothing was changed. Pass skip_nonfinite=True to "
                "skip such steps instead"
            )
        case "norm":
            return FloatingPointError(
                "the norm of the gradients is above 1.8e308, the largest float64, though each element is finite; nothing was "
                "changed. Scale the loss down, or pass skip_nonfinite=True to skip such steps"
            )
        case "known norm":
            return FloatingPointError(
                "norm is not finite, though each gradient here is, so one of another process or optimizer is not; nothing was "
                "changed. Pass skip_nonfinite=True to skip such steps instead"
            )
        case "step":
            return ValueError(f"the step count of {name} is out of range; expected 0 to 2**63 - 2 steps taken before this one")
    return RuntimeError(f"{name} was refused ({reason})")


def _order(array: Any) -> list[int]:
    """The dimensions of an array in the order of memory."""
    shape, strides = trait(array, "shape"), trait(array, "strides")
    return layouts.axes(shape, strides) if isinstance(strides, tuple) else [*range(len(shape))]


def of_replaced(name: str) -> str:
    """The message about a parameter in whose place there is another array now."""
    return (
        f"{name} is no longer the array that this optimizer steps: another has taken its place, as in `p = p - update`; "
        "expected the array it was made with, updated in place; write `p -= update` or `p[...] = values`, or make a new "
        "optimizer"
    )


def trait(array: Any, name: str) -> Any:
    """An attribute of an array, or of its ``__cuda_array_interface__`` or DLPack export, which may be all that it has."""
    if hasattr(array, name):
        return getattr(array, name)
    interface = getattr(array, "__cuda_array_interface__", None)
    if interface is not None:
        return np.dtype(interface["typestr"]) if name == "dtype" else interface.get(name)
    try:
        return getattr(np.from_dlpack(array), name)
    except (AttributeError, TypeError, ValueError, RuntimeError, BufferError):  # on a GPU: the word is of the refusal alone
        return "unknown"
