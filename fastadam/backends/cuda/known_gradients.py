"""The gradients of a step on one GPU: their addresses, once all that a kernel needs of them is checked."""

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastadam import _native
from fastadam.backends.cuda import arrays as views
from fastadam.backends.cuda.cupy_runtime import gpu
from fastadam.backends.dtypes import dtype_of
from fastadam.backends.roles import GRAD

_layout = operator.attrgetter("dtype", "shape", "strides", "data.device_id")
NO_ELEMENTS = 1  # stands for the address of an empty array, which may be 0; 0 stands for a missing gradient


class Usable(NamedTuple):
    """Gradients that a kernel can use. The arrays are not kept alive."""

    addresses: list[int]  # 0 for a missing one
    missing: list[int]  # their indices
    references: list[Any]  # weak ones


class KnownGradients:
    """Finds the addresses of gradients. It remembers the last step's, since they are often the same objects."""

    def __init__(self, params: Sequence[Any], memory: _native.OwnedMemory, expect_unmoved: Callable[[], None]) -> None:
        """`memory` has the parameters and states; `expect_unmoved` is asked after all exports, which may run any code."""
        self._memory, self._expect_unmoved = memory, expect_unmoved
        self._params = params
        self._layouts = [_layout(param) for param in params]
        self._bytes = [param.nbytes for param in params]
        self._array_type = gpu().ndarray
        self._itemsize = np.dtype(dtype_of(params[0])).itemsize
        self._last = Usable([], [], [])  # those of the last call

    def usable(self, grads: Sequence[Any]) -> Usable:
        """Raises Refused. They are checked unless they are the same objects as in the last step."""
        last = self._last
        if _native.are_references_to(last.references, grads):
            self._expect_unmoved()
            return last
        arrays, addresses = grads, _native.gpu_addresses(grads, self._layouts, self._array_type, self._itemsize)
        if addresses is None:
            arrays = [grad if grad is None else views.view(grad, (GRAD, i), False) for i, grad in enumerate(grads)]
        self._expect_unmoved()
        if addresses is None:
            for i, array in enumerate(arrays):
                if array is not None:
                    views.expect_usable(array, (GRAD, i), self._params[i], self._params[0])
            addresses = [0 if array is None else int(array.data.ptr) or NO_ELEMENTS for array in arrays]
        if addresses != last.addresses:
            self._memory.expect_apart(addresses, self._bytes)
        missing = [i for i, address in enumerate(addresses) if not address] if 0 in addresses else []
        self._last = Usable(addresses, missing, _native.references_to(arrays))
        return self._last
