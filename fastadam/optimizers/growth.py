"""Changes to what an optimizer steps, which wait until it is next used: any number of them then costs what one does."""

import bisect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastadam.optimizers.members import Members, new_states
from fastadam.optimizers.param_groups import Group
from fastadam.structure import Structure

_Span = tuple[int, int]  # where memory begins and ends
_Added = tuple[Structure, Sequence[Any], Sequence[Mapping[str, Any]]]  # parameters of a group, with their states


class Growth:
    """Members of an optimizer whose groups have changed since, and parameters that were added."""

    def __init__(self, members: Members) -> None:
        if members.capturable and members.tensors.is_captured:
            raise RuntimeError(
                "a CUDA graph was captured with these parameters: it would go on to count its steps where nobody looks, once "
                "there are others; add all groups before the capture, or make a new optimizer and capture again"
            )
        self.members = members
        self.groups: list[Group] = [*members.groups]  # with all changes; a list that no step reads
        self._added: list[_Added] = []  # as many are valid as there are more groups than the members have
        self._keys: set[Any] | None = None  # of all parameters; None: to be found again
        self._spans: list[_Span] = []  # in order

    def add(self, structure: Structure, params: Sequence[Any], group: Group) -> None:
        """Append `group`, with its parameters, or raise an error and change nothing.

        Only what is added is looked at; all parameters together are checked if they may not fit together.
        """
        base = self.members
        del self._added[self._valid() :]  # of a call that failed
        if self._keys is None:
            self._find_memory()
        assert self._keys is not None
        base.structure.expect_room_for(structure, self._keys)
        states = new_states(params, [group])
        alone = Members(structure.as_sequence(), params, states, [group], base.capturable)
        arrays = [*params, *(array for state in states for array in state.values())]
        spans = [span for array in arrays if (span := _span(array))]
        if len(spans) < len(arrays) or alone.tensors.device != base.tensors.device or not all(map(self._is_free, spans)):
            self._together([*self.groups, group], [*self._added, (structure, params, states)])
        keys, self._keys = self._keys, None  # until all is in its place, whatever interrupts this
        for span in spans:
            bisect.insort(self._spans, span)
        keys.update(structure.keys)
        self._added.append((structure, params, states))
        self.groups.append(group)
        self._keys = keys

    def settled(self) -> Members:
        """The members with all changes."""
        if added := self._added[: self._valid()]:
            return self._together(self.groups, added)
        self.members.use(self.groups)
        return self.members

    def _valid(self) -> int:
        """How many of what was added have a group."""
        return len(self.groups) - self.members.group_count

    def _find_memory(self) -> None:
        parts = [(self.members.structure, self.members.params, self.members.states), *self._added]
        pairs = [pair for _, params, states in parts for pair in zip(params, states, strict=True)]
        owned = [array for param, state in pairs for array in (param, *state.values())]
        self._spans = sorted(span for span in map(_span, owned) if span)
        self._keys = {key for structure, *_ in parts for key in structure.keys}

    def _together(self, groups: Sequence[Group], added: Sequence[_Added]) -> Members:
        base = self.members
        params = [param for _, some, _ in added for param in some]
        states: list[Mapping[str, Any]] = [state for _, _, some in added for state in some]
        structure = base.structure.extended(each for each, _, _ in added)
        steps, *others = base.counts
        steps += [0] * len(params)
        return Members(structure, base.params + params, base.states + states, groups, base.capturable, steps, *others)

    def _is_free(self, span: _Span) -> bool:
        """Whether no array is known to be in this memory."""
        begin, end = span
        i = bisect.bisect_left(self._spans, span)
        after, before = self._spans[i : i + 1], self._spans[max(i - 1, 0) : i]
        return all(other[0] >= end for other in after) and all(other[1] <= begin for other in before)


def _span(array: Any) -> _Span | None:
    """The memory of an array that can be stepped, if that is known."""
    size = getattr(getattr(array, "dtype", None), "itemsize", 0)
    if isinstance(array, np.ndarray):
        begin = array.__array_interface__["data"][0]
    elif hasattr(array, "data_ptr"):
        begin = array.data_ptr()
    elif hasattr(array, "data") and hasattr(array.data, "ptr"):  # a cupy.ndarray
        begin = array.data.ptr
    elif hasattr(array, "__cuda_array_interface__"):
        interface = array.__cuda_array_interface__
        begin, size = interface["data"][0], np.dtype(interface["typestr"]).itemsize
    else:
        return None
    return begin, begin + size * math.prod(array.shape)
