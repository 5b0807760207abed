"""The gradients of a step on one GPU: their addresses, once all that a kernel needs of them is checked."""

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fastadam import _native
from fastadam.at_once import Call
from fastadam.backends.cuda import arrays as views
from fastadam.backends.cuda.cupy_runtime import gpu
from fastadam.backends.roles import GRAD

_layout = operator.attrgetter("dtype", "shape", "strides", "data.device_id")
NO_ELEMENTS = 1  # stands for the address of an empty array, which may be 0; 0 stands for a missing gradient


class Usable(NamedTuple):
    """Gradients that a kernel can use."""

    arrays: Sequence[Any]  # None for a missing one
    addresses: list[int]

    @property
    def missing(self) -> list[int]:
        """Indices."""
        return [i for i, address in enumerate(self.addresses) if not address] if 0 in self.addresses else []


class KnownGradients:
    """Finds the addresses of gradients. It remembers the last step's, since they are often the same objects."""

    def __init__(self, params: Sequence[Any], memory: _native.OwnedMemory, expect_unmoved: Callable[[], None]) -> None:
        """`memory` has the parameters and states; `expect_unmoved` is asked after all exports, which may run any code."""
        self._memory, self._expect_unmoved = memory, expect_unmoved
        self._params = params
        self._layouts = [_layout(param) for param in params]
        self._sizes = [param.size for param in params]
        self._array_type = gpu().ndarray
        self._known: list[Any] = []  # weak references to the gradients of the last step
        self._addresses: list[int] = []  # theirs

    def usable(self, grads: Sequence[Any]) -> Usable:
        """Raises Refused. They are checked unless they are the same objects as in the last step."""
        if _native.are_references_to(self._known, grads):
            self._expect_unmoved()
            return Usable(grads, self._addresses)
        arrays, addresses = grads, _native.gpu_addresses(grads, self._layouts, self._array_type)
        if addresses is None:
            arrays = [grad if grad is None else views.view(grad, (GRAD, i), False) for i, grad in enumerate(grads)]
        self._expect_unmoved()
        if addresses is None:
            for i, array in enumerate(arrays):
                if array is not None:
                    views.expect_usable(array, (GRAD, i), self._params[i], self._layouts[0][-1])
            addresses = [0 if array is None else int(array.data.ptr) or NO_ELEMENTS for array in arrays]
        if addresses != self._addresses:
            self._memory.expect_apart(addresses, self._sizes)
        return Usable(arrays, addresses)

    def remembers(self, usable: Usable) -> list[Call]:
        """The calls that remember them, after a step. The arrays are not kept alive."""
        if usable.addresses is self._addresses:
            return []
        return [(vars(self).update, {"_known": _native.references_to(usable.arrays), "_addresses": usable.addresses})]
