"""Arrays of bfloat16, a type that NumPy does not have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastadam import _native


class bfloat16:
    """An array of uint16 whose bits are those of bfloat16 numbers: a parameter or a gradient for an optimizer.

    Arrays of ml_dtypes' bfloat16, and of libraries that export it by DLPack, such as PyTorch's, need no such wrapper.

    Parameters
    ----------
    bits : array
        uint16, of NumPy, of any shape. It is not copied.

    Examples
    --------
    >>> import numpy as np
    >>> import fastadam
    >>> weights = fastadam.bfloat16(np.full(3, 0x3F80, np.uint16))
    >>> fastadam.AdamW(weights, lr=0.25, weight_decay=0.0).step(np.array([1, -1, 0], np.float32))
    >>> weights.float32()
    array([0.75, 1.25, 1.  ], dtype=float32)
    """

    __slots__ = ("_bits",)

    dtype = "bfloat16"

    def __init__(self, bits: Any) -> None:
        if not isinstance(bits, np.ndarray) or bits.dtype != np.uint16:
            found = f"of dtype {bits.dtype}" if hasattr(bits, "dtype") else f"a {type(bits).__name__}"
            raise TypeError(
                f"bits is {found}; expected a numpy.ndarray of uint16, whose bits are those of bfloat16 numbers; pass "
                "bits.view(numpy.uint16) of 16 bits that are such numbers already"
            )
        self._bits: NDArray[np.uint16] = bits

    @property
    def bits(self) -> NDArray[np.uint16]:
        """The array of uint16, which is the same for good."""
        return self._bits

    @property
    def shape(self) -> tuple[int, ...]:
        """That of `bits`."""
        return self.bits.shape

    @property
    def strides(self) -> tuple[int, ...]:
        """Those of `bits`, in bytes."""
        return self.bits.strides

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.bits.size

    def float32(self) -> NDArray[np.float32]:
        """The numbers, exactly, in a new array."""
        return to_float32(self.bits)

    def __len__(self) -> int:
        return len(self.bits)

    def __repr__(self) -> str:
        return f"fastadam.bfloat16({self.float32()!r})"


_native.set_bfloat16_class(bfloat16)


def to_float32(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The numbers whose bfloat16 bits these are."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def half_of(array: Any) -> str | None:
    """The type of 16 bits that the elements of an array of any library on the CPU have, in NumPy's words, or None."""
    if isinstance(array, bfloat16):
        return "bfloat16"
    dtype = getattr(array, "dtype", None)
    name = dtype.name if isinstance(dtype, np.dtype) else str(dtype).rpartition(".")[2]  # as in torch.float16
    return name if name in ("bfloat16", "float16") else None


def float32_of(array: Any) -> NDArray[np.float32]:
    """The numbers of an array of 16-bit numbers, of any library, exactly."""
    if half_of(array) == "float16":
        return np.asarray(array if isinstance(array, np.ndarray) else np.from_dlpack(array)).astype(np.float32)
    if isinstance(array, bfloat16):
        return array.float32()
    return to_float32(_native.bfloat16_bits(array, (0, 0)))
