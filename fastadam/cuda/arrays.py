"""Arrays on a GPU: views of other libraries' arrays, and whether a kernel may work on them."""

from typing import Any

import numpy as np

from fastadam._native import Refused
from fastadam.cuda.gpu import gpu
from fastadam.devices import is_on_gpu

Place = tuple[int, int]  # role and index of an array, as in fastadam.refusals

_FLOAT32 = np.dtype(np.float32)


def view(array: Any, place: Place, writeable: bool) -> Any:
    """A cupy.ndarray over the memory of `array`, which may be of another library; or Refused."""
    if type(array).__module__.partition(".")[0] == "cupy":
        return array
    if not is_on_gpu(array):
        raise Refused("type", place, place, "")
    if hasattr(array, "__dlpack__"):
        try:
            return gpu().from_dlpack(array)
        except (BufferError, RuntimeError, TypeError) as error:
            raise Refused("export", place, place, str(error)) from error
    interface = array.__cuda_array_interface__
    if interface.get("mask") is not None:
        raise Refused("export", place, place, "it has a mask")
    if writeable and interface["data"][1]:
        raise Refused("read-only", place, place, "")
    return gpu().from_interface(interface, array)


def expect_usable(array: Any, place: Place, shape: tuple[int, ...], device: int) -> None:
    """Refused unless a kernel on `device` may work on a cupy.ndarray in place."""
    param = (0, place[1])
    if array.dtype != _FLOAT32:
        raise Refused("dtype", place, place, "")
    if not array.flags.c_contiguous:
        raise Refused("layout", place, place, "")
    if array.data.device_id != device:
        raise Refused("device", place, (0, 0), "")
    if array.data.ptr % 4:
        raise Refused("alignment", place, place, "")
    if array.shape != shape:
        raise Refused("shape", place, param, "")
