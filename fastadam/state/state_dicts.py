"""State dicts: their contents, how they are stored in a file, and whether one fits an optimizer."""

import operator
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastadam.optimizers.members import Members
from fastadam.optimizers.param_groups import Group

SCHEDULE = {"schedule": True}  # replaces a schedule in a file


class Stateful(Protocol):
    """The part of an optimizer that this module uses."""

    _groups: list[Group]
    _members: Members

    def _use(self, groups: list[Group]) -> list[Group]:
        """Use these from now on."""
        ...


def describe(optimizer: Stateful) -> dict[str, Any]:
    """The state dict without the arrays."""
    members = optimizer._members
    counts, skipped, step_count = members.counts
    names = members.structure.param_names
    groups, start = [], 0
    for group in optimizer._groups:
        numbers = range(start, start + group.size)
        described = {name: group.given[name] for name in group.hyperparameters.kind._chosen}
        described |= {"params": list(numbers), "param_shapes": [tuple(members.params[i].shape) for i in numbers]}
        groups.append(described | ({"param_names": [names[i] for i in numbers]} if names else {}))
        start += group.size
    return {
        "optimizer": type(optimizer).__name__,
        "step_count": step_count,
        "skipped_steps": skipped,
        "param_groups": groups,
        "state": {i: {"step": count} for i, count in enumerate(counts)},
    }


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


def from_file(header: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, Any]:
    """The state dict whose file has this header and these arrays."""
    state_dict = {**header, "state": {int(i): dict(state) for i, state in header["state"].items()}}
    for path, array in arrays.items():
        _, i, name = path.split("/")
        state_dict["state"][int(i)][name] = array
    return state_dict


def restore(optimizer: Stateful, state_dict: Mapping[str, Any], strict: bool, source: str) -> None:
    """Restore a state dict, or raise an error that lists everything that does not fit."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"{source} is a {type(state_dict).__name__}; expected what state_dict() returns")
    here = describe(optimizer)
    if misfits := list(_misfits(optimizer, here, state_dict, strict)):
        raise ValueError(f"{source} does not fit this {here['optimizer']}:" + "".join(f"\n- {misfit}" for misfit in misfits))
    members, state = optimizer._members, state_dict["state"]
    groups = optimizer._groups
    if not strict:
        described = zip(groups, state_dict["param_groups"], strict=True)
        groups = [group.changed(_hyperparameters(group, there)) for group, there in described]
    optimizer._use(groups)
    for i, arrays_here in enumerate(members.states):
        for name, array in arrays_here.items():
            members.backend.assign(array, state[i][name])
    steps = [operator.index(state[i]["step"]) for i in here["state"]]
    members.counts = steps, operator.index(state_dict["skipped_steps"]), operator.index(state_dict["step_count"])


def _hyperparameters(group: Group, described: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters that a group takes from a state dict. Schedules are not in files, so the group keeps its own."""
    return {name: described[name] for name in group.hyperparameters.kind._chosen if described[name] != SCHEDULE}


def _misfits(optimizer: Stateful, here: dict[str, Any], there: Mapping[str, Any], strict: bool) -> Iterator[str]:
    """A sentence for each difference."""
    if missing := here.keys() - there.keys():
        yield f"it has no {sorted(missing)}; expected what state_dict() returns"
        return
    groups_there, state_there = there["param_groups"], there["state"]
    if not isinstance(groups_there, list | tuple) or not all(isinstance(group, Mapping) for group in groups_there):
        yield "param_groups is not a list of mappings"
        return
    if not isinstance(state_there, Mapping) or not all(isinstance(state, Mapping) for state in state_there.values()):
        yield "state is not a mapping from numbers of parameters to mappings"
        return
    if there["optimizer"] != here["optimizer"]:
        yield f"it is of {there['optimizer']!r}; expected one of {here['optimizer']!r}"
    for name in ("step_count", "skipped_steps"):
        yield from _not_a_count(name, there[name])
    if len(groups_there) != len(here["param_groups"]):
        yield f"it has {len(groups_there)} parameter groups; expected {len(here['param_groups'])}"
    else:
        for i, groups in enumerate(zip(optimizer._groups, here["param_groups"], groups_there, strict=True)):
            yield from (f"param_groups[{i}]{misfit}" for misfit in _group_misfits(*groups, strict))
    if state_there.keys() != here["state"].keys():
        yield f"it has state of {len(state_there)} parameters; expected that of {len(here['state'])}, numbered from 0"
        return
    for i, arrays_here in enumerate(optimizer._members.states):
        yield from (f"state[{i}]{misfit}" for misfit in _state_misfits(arrays_here, state_there[i]))


def _group_misfits(group: Group, here: dict[str, Any], there: Mapping[str, Any], strict: bool) -> Iterator[str]:
    for name, expected in here.items():
        if name not in there:
            yield f" has no {name!r}; expected {expected!r}"
            continue
        found = there[name]
        if name in group.hyperparameters.kind._chosen:
            is_schedule = callable(expected), callable(found) or found == SCHEDULE
            same = all(is_schedule) or (not any(is_schedule) and _plain(found) == expected)
            # Files do not hold schedules, so the optimizer must have one, even if not strict.
            if not same and (strict or found == SCHEDULE):
                words = "a schedule" if found == SCHEDULE else repr(found)
                yield f"[{name!r}] is {words}; expected {expected!r}, or set it" + (", or pass strict=False" if strict else "")
        elif _plain(found) != _plain(expected):
            yield f"[{name!r}] is {found!r}; expected {expected!r}"
    if unexpected := [name for name in there if name not in here]:
        yield f" has {unexpected}, which this optimizer does not know"


def _state_misfits(here: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[str]:
    yield from _not_a_count("['step']", there.get("step"))
    if names := [name for name in here if name not in there]:
        yield f" has no {names}"
    if names := [name for name in there if name not in here and name != "step"]:
        yield f" has {names}, which this optimizer does not keep"
    for name, array in here.items():
        found = there.get(name, array)
        if found is not array and not isinstance(found, np.ndarray):
            yield f"[{name!r}] is a {type(found).__name__}; expected a numpy.ndarray"
            continue
        if found.dtype != np.float32:
            yield f"[{name!r}] has dtype {found.dtype}; expected float32"
        if found.shape != array.shape:
            yield f"[{name!r}] has shape {found.shape}; expected {array.shape}"


def _not_a_count(name: str, value: Any) -> Iterator[str]:
    try:
        if not 0 <= operator.index(value) < 2**63 - 1:
            yield f"{name} is {value}; expected 0 to 2**63 - 2"
    except TypeError:
        yield f"{name} is {value!r}; expected an integer"


def _plain(value: Any) -> Any:
    """`value` with tuples in place of lists, into which JSON has turned them."""
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value
