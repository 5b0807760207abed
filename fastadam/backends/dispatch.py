"""Chooses the backend for an array: CUDA's for arrays on a GPU, else the CPU's."""

from typing import TYPE_CHECKING, Any

from fastadam.backends import cpu
from fastadam.backends.devices import is_on_gpu

if TYPE_CHECKING:
    from fastadam.backends.protocol import Backend


def backend_of(array: Any) -> "Backend":
    """The backend for parameters like `array`. For anything but an array it is the CPU's, which raises the error."""
    if is_on_gpu(array):
        from fastadam.backends.cuda import functions as cuda  # only if needed: few programs use it

        return cuda
    return cpu
