"""Which backend serves an array: the CPU's, or that of CUDA for arrays on a GPU."""

from typing import TYPE_CHECKING, Any

from fastadam.backends import cpu
from fastadam.backends.devices import is_on_gpu

if TYPE_CHECKING:
    from fastadam.backends.protocol import Backend


def backend_of(array: Any) -> "Backend":
    """The backend for parameters like `array`; for what is no array the CPU's, which will say so."""
    if is_on_gpu(array):
        from fastadam.backends.cuda import functions as cuda  # which few programs need

        return cuda
    return cpu
