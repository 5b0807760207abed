"""Arrays on a GPU: views of other libraries' arrays, and checks that a kernel can use them."""

from typing import Any

import numpy as np

from fastadam._native import Refused
from fastadam.backends import layouts
from fastadam.backends.cuda.cupy_runtime import gpu
from fastadam.backends.devices import gpu_of, is_lazy, is_on_gpu
from fastadam.backends.dtypes import dtype_of, is_complex
from fastadam.backends.roles import PARAM, Place


def view(array: Any, place: Place, writeable: bool) -> Any:
    """A cupy.ndarray over the memory of `array`, which may be of another library. Raises Refused if that is impossible.

    Work queued on the current stream from now on runs after what the other library has queued.
    """
    if isinstance(array, gpu().ndarray):
        return array
    if not is_on_gpu(array):
        raise Refused("type", place, place, "")
    if gpu().is_capturing():
        raise Refused("capturing", place, place, "")
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


def taken_over(array: Any, place: Place, writeable: bool) -> Any:
    """Like :func:`view`, for the current stream of the array's own device, which need not be the current one."""
    if isinstance(array, gpu().ndarray):
        return array
    with gpu().on(_device(array)):
        return view(array, place, writeable)


def _device(array: Any) -> int:
    """The device of an array; the current one if it is on none, or does not say where: :func:`view` will refuse it."""
    if not is_on_gpu(array):
        return gpu().current()
    if (device := gpu_of(array)) is not None:
        return device
    try:
        address = array.__cuda_array_interface__["data"][0]
        return gpu().device_of(address) if address else gpu().current()
    except Exception:
        return gpu().current()


class Borrowed:
    """An array of another library that is updated: it may get other memory, so it is asked at each step where it is."""

    def __init__(self, exporter: Any, array: Any, place: Place) -> None:
        """`array` is the view of `exporter` that was made when its memory was taken over."""
        self._exporter, self._array, self._place = exporter, array, place
        self._asks = next((asks for asks in (_by_methods, _by_interface) if asks(exporter)), None)
        self._answer = self._asks and self._asks(exporter)

    def expect_unmoved(self) -> None:
        """Raise Refused if its memory was replaced, or cannot be used any more."""
        if self._asks and self._asks(self._exporter) == self._answer:
            return
        again = view(self._exporter, self._place, True)  # says best what is wrong
        expect_usable(again, self._place, self._array, self._array)
        if self._asks or again.data.ptr != self._array.data.ptr:
            raise Refused("moved", self._place, self._place, "")


def _by_methods(exporter: Any) -> Any:
    """What tensors like PyTorch's say of their memory, in little time; None of others."""
    if not all(hasattr(exporter, name) for name in ("data_ptr", "numel", "dtype")):
        return None
    return exporter.data_ptr(), exporter.numel(), exporter.dtype


def _by_interface(exporter: Any) -> Any:
    """The same of arrays that have ``__cuda_array_interface__``."""
    interface = getattr(exporter, "__cuda_array_interface__", None)
    return interface and (interface["data"], interface["shape"], interface.get("strides"), interface["typestr"])


def number_count(array: Any) -> int:
    """How many numbers of the kernels' type a cupy.ndarray has: two for each complex element."""
    return int(array.size) * (2 if is_complex(array) else 1)


def expect_usable(array: Any, place: Place, like: Any, first: Any) -> None:
    """Raise Refused unless a kernel can use a cupy.ndarray in place, beside `like`, which may be the same.

    Its type and device must be those of `first`.
    """
    param = (PARAM, place[1])
    dtype = dtype_of(first)
    has_right_parts = array.dtype in (dtype, np.result_type(dtype, np.complex64))
    if array.dtype != like.dtype and (has_right_parts or is_complex(like)):
        raise Refused("dtype", place, param, like.dtype.name)
    if not has_right_parts:
        raise Refused("dtype", place, place, dtype)
    alone = array is like or array.shape != like.shape  # one of another shape is refused for that
    if not (layouts.is_dense(array) if alone else layouts.have_same_order(array, like)):
        raise Refused("layout", place, place if array is like else param, "")
    if array.data.device_id != first.data.device_id:
        raise Refused("device", place, (PARAM, 0), "")
    if array.data.ptr % np.dtype(dtype).itemsize:
        raise Refused("alignment", place, place, "")
    if array.shape != like.shape:
        raise Refused("shape", place, param, "")
