"""The gradients of a step on one GPU: their addresses, once all that a kernel needs of them is checked."""

import operator
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fastadam import _native
from fastadam.at_once import Call
from fastadam.backends.cuda import arrays
from fastadam.backends.cuda.cupy_runtime import gpu
from fastadam.backends.roles import GRAD

_ADDRESS = operator.attrgetter("data.ptr")
_layout = operator.attrgetter("dtype", "shape", "strides", "data.device_id")
NO_ELEMENTS = 1  # stands for the address of an empty array, which may be 0; 0 stands for a missing gradient


class Usable(NamedTuple):
    """Gradients that a kernel can use."""

    present: Sequence[Any]  # arrays, without those that are missing
    addresses: list[int]  # of all
    missing: list[int]  # indices


class KnownGradients:
    """Finds the addresses of gradients. It remembers the last step's, since they are often the same objects."""

    def __init__(self, params: Sequence[Any], memory: _native.OwnedMemory, expect_unmoved: Callable[[], None]) -> None:
        """`memory` has the parameters and states; `expect_unmoved` is asked after all exports, which may run any code."""
        self._memory, self._expect_unmoved = memory, expect_unmoved
        self._layouts = [_layout(param) for param in params]
        self._device = self._layouts[0][-1]
        self._sizes = [param.size for param in params]
        self._array_type = gpu().ndarray
        self._known: list[weakref.ref[Any]] | None = None  # the present gradients of the last step
        self._last = Usable([], [], [])

    def usable(self, grads: Sequence[Any]) -> Usable:
        """Raises Refused. They are checked unless they are the same objects as in the last step."""
        missing = [i for i, grad in enumerate(grads) if grad is None]
        present = [grad for grad in grads if grad is not None] if missing else grads
        known = None if self._known is None or missing != self._last.missing else [known() for known in self._known]
        if known is not None and all(map(operator.is_, known, present)) and len(known) == len(present):
            self._expect_unmoved()
            return Usable(present, self._last.addresses, missing)
        where = [i for i, grad in enumerate(grads) if grad is not None] if missing else range(len(grads))
        if set(map(type, present)) - {self._array_type}:
            present = [arrays.view(grad, (GRAD, i), False) for i, grad in zip(where, present, strict=True)]
        self._expect_unmoved()
        found = [*map(_ADDRESS, present)]
        layouts = [self._layouts[i] for i in where] if missing else self._layouts
        # For speed: gradients laid out like their parameters need no further check.
        if [*map(_layout, present)] != layouts or any(map((3).__and__, found)):
            for i, grad in zip(where, present, strict=True):
                arrays.expect_usable(grad, (GRAD, i), self._layouts[i][1], self._device)
        addresses = [0] * len(grads)
        for i, address in zip(where, found, strict=True):
            addresses[i] = address or NO_ELEMENTS
        if addresses != self._last.addresses:
            self._memory.expect_apart(addresses, self._sizes)
        return Usable(present, addresses, missing)

    def remembers(self, usable: Usable) -> list[Call]:
        """The calls that remember them, after a step."""
        if usable.addresses is self._last.addresses:
            return []
        # The arrays are not kept alive.
        known, last = [weakref.ref(grad) for grad in usable.present], usable._replace(present=[])
        return [(vars(self).update, {"_known": known, "_last": last})]
