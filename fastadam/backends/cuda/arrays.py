"""Arrays on a GPU: views of other libraries' arrays, and checks that a kernel can use them."""

from typing import Any

import numpy as np

from fastadam._native import Refused
from fastadam.backends.cuda.cupy_runtime import gpu
from fastadam.backends.devices import is_lazy, is_on_gpu
from fastadam.backends.roles import PARAM, Place

_FLOAT32 = np.dtype(np.float32)


def view(array: Any, place: Place, writeable: bool) -> Any:
    """A cupy.ndarray over the memory of `array`, which may be of another library. Raises Refused if that is impossible.

    Work queued on the current stream from now on runs after what the other library has queued.
    """
    if isinstance(array, gpu().ndarray):
        return array
    if not is_on_gpu(array):
        raise Refused("type", place, place, "")
    try:
        # CuPy ignores DLPack's read-only flag.
        if writeable and getattr(array, "__cuda_array_interface__", {"data": (0, False)})["data"][1]:
            raise Refused("read-only", place, place, "")
        if is_lazy(array):
            if writeable:
                raise Refused("lazy", place, place, "")
            array = array.resolve_neg()
        if hasattr(array, "__dlpack__"):
            return gpu().from_dlpack(array)
        interface = array.__cuda_array_interface__
        if interface.get("mask") is not None:
            raise Refused("export", place, place, "it has a mask")
        return gpu().from_interface(interface, array)
    except (MemoryError, Refused):  # no fault of the array
        raise
    except Exception as error:
        raise Refused("export", place, place, str(error)) from error


def expect_usable(array: Any, place: Place, shape: tuple[int, ...], device: int) -> None:
    """Raise Refused unless a kernel on `device` can use a cupy.ndarray in place."""
    param = (PARAM, place[1])
    if array.dtype != _FLOAT32:
        raise Refused("dtype", place, place, "")
    if not array.flags.c_contiguous:
        raise Refused("layout", place, place, "")
    if array.data.device_id != device:
        raise Refused("device", place, (PARAM, 0), "")
    if array.data.ptr % 4:
        raise Refused("alignment", place, place, "")
    if array.shape != shape:
        raise Refused("shape", place, param, "")
