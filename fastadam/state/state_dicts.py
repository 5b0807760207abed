"""State dicts: their contents, and how they are stored in a file."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastadam.backends.refusals import trait
from fastadam.optimizers.members import Members
from fastadam.optimizers.param_groups import Group

SCHEDULE = {"schedule": True}  # replaces a schedule in a file


class Stateful(Protocol):
    """The part of an optimizer that this module uses."""

    _members: Members

    @property
    def _groups(self) -> list[Group]: ...


def describe(optimizer: Stateful) -> dict[str, Any]:
    """The state dict without the arrays."""
    members = optimizer._members
    counts, skipped, step_count = members.counts
    names = members.structure.param_names
    groups, start = [], 0
    for group in optimizer._groups:
        numbers = range(start, start + group.size)
        described = {name: group.given[name] for name in group.hyperparameters.kind._chosen if _is_told(group, name)}
        described |= {"params": list(numbers), "param_shapes": [tuple(trait(members.params[i], "shape")) for i in numbers]}
        groups.append(described | ({"param_names": [names[i] for i in numbers]} if names else {}))
        start += group.size
    return {
        "optimizer": type(optimizer).__name__,
        "step_count": step_count,
        "skipped_steps": skipped,
        "param_groups": groups,
        "state": {i: {"step": count} for i, count in enumerate(counts)},
    }


def _is_told(group: Group, name: str) -> bool:
    """Whether a state dict has a hyperparameter: one that came later only where it is not the default."""
    declared = group.hyperparameters.kind._declared[name]
    return not declared.is_later or group.given[name] != declared.default


def arrays(optimizer: Stateful) -> Iterator[tuple[int, str, NDArray[np.float32]]]:
    """All state arrays, in CPU memory: the index of the parameter, the name and the array."""
    members = optimizer._members
    for i, state in enumerate(members.states):
        for name, array in state.items():
            yield i, name, members.backend.to_host(array)


def to_file(optimizer: Stateful) -> tuple[dict[str, Any], Iterator[tuple[str, NDArray[np.float32]]]]:
    """The contents of a file: a header that can be written as JSON, and named arrays, one at a time."""
    header = describe(optimizer)
    header["param_groups"] = [
        {name: SCHEDULE if callable(value) else value for name, value in group.items()} for group in header["param_groups"]
    ]
    return header, ((f"state/{i}/{name}", array) for i, name, array in arrays(optimizer))


def from_file(header: Mapping[str, Any], arrays: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The state dict whose file has this header and these arrays. Errors call the file `source`."""
    states = header.get("state")
    if not isinstance(states, dict) or not all(isinstance(state, dict) for state in states.values()):
        raise ValueError(f"{source} has a header without the state of each parameter; expected a file that save() has written")
    for path, array in arrays.items():
        place = path.split("/")
        if len(place) != 3 or place[0] != "state" or place[1] not in states or place[2] in states[place[1]]:
            raise ValueError(f"{source} has an array {path[:100]!r}, of which its header does not know; use another file")
        states[place[1]][place[2]] = array
    return {name: value for name, value in header.items() if name not in ("format", "version")}
