"""Restores a state dict: everything is compared first, and what is copied is copied in one call that nothing interrupts."""

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from fastadam.at_once import Call, at_once
from fastadam.backends.protocol import Backend
from fastadam.optimizers.hyperparameters import with_later
from fastadam.optimizers.param_groups import Group
from fastadam.plain_numbers import to_int
from fastadam.state import state_dicts
from fastadam.state.matching import Match, misfits_of, replaces
from fastadam.state.reading import Stored

HYPERPARAMETERS = ("same", "load", "keep")


class Loaded(NamedTuple):
    """What a call with ``strict=False`` left out: names of parameters, or their numbers if they have no names."""

    missing: list[Any]  # parameters of the optimizer whose state was not there; they keep the one they have
    unexpected: list[Any]  # parameters that the optimizer does not have


def restore(
    optimizer: state_dicts.Stateful,
    state_dict: Mapping[str, Any],
    source: str,
    *,
    strict: bool = True,
    hyperparameters: str = "same",
    dtype: str = "same",
    file: BinaryIO | None = None,
) -> Loaded:
    """Restore a state dict, or raise an error that lists everything that does not fit. :class:`Stored` arrays are in `file`."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"{source} is a {type(state_dict).__name__}; expected what state_dict() returns")
    if hyperparameters not in HYPERPARAMETERS:
        raise ValueError(f"hyperparameters is {hyperparameters!r}; expected one of {[*HYPERPARAMETERS]}")
    if dtype not in ("same", "convert"):
        raise ValueError(f"dtype is {dtype!r}; expected 'same' or 'convert'")
    here = state_dicts.describe(optimizer)
    misfits: list[str] = []
    match = misfits_of(optimizer, here, state_dict, strict, hyperparameters, dtype == "convert", misfits)
    if misfits or match is None:
        raise ValueError(f"{source} does not fit this {here['optimizer']}:" + "".join(f"\n- {misfit}" for misfit in misfits))
    groups = _groups(optimizer._groups, match) if hyperparameters == "load" else None
    steps = [ours["step"] for ours in here["state"].values()]
    copies: list[Call] = []
    for i, their in enumerate(match.states):
        if their is not None:
            steps[i] = to_int(their["step"])
            for name, array in optimizer._members.states[i].items():
                copies += _copies(array, their[name], optimizer._members.backend, file)
    counts = steps, to_int(state_dict["skipped_steps"]), to_int(state_dict["step_count"])
    loaded = Loaded(match.missing, match.unexpected)  # before, since it may fail
    _commit(optimizer, groups, copies, counts)
    return loaded


def _groups(groups: list[Group], match: Match) -> list[Group]:
    """The groups with the hyperparameters of a state dict."""
    changed = []
    for group, there in zip(groups, match.groups, strict=True):
        kind = group.hyperparameters.kind
        settable = {name: group.given[name] for name in kind._chosen if not kind._declared[name].is_storage}
        theirs = with_later(kind, there) if there else settable
        changed.append(group.changed({name: theirs[name] for name, ours in settable.items() if replaces(theirs[name], ours)}))
    return changed


def _copies(array: Any, values: Any, backend: Backend, file: BinaryIO | None) -> list[Call]:
    """The calls that copy values into a state's array, from a file only into C-contiguous arrays of NumPy; else read before."""
    on_cpu = isinstance(array, np.ndarray)
    if on_cpu and not array.flags.writeable:
        raise ValueError("an array of the optimizer's state is read-only; make it writeable: array.flags.writeable = True")
    if not isinstance(values, Stored):
        return [backend.assignment(array, _converted(values, array.dtype))]
    assert file is not None
    # Files have the elements in the order of the index.
    in_place = on_cpu and array.flags.c_contiguous and values.dtype == array.dtype
    place = array if in_place else np.empty(values.shape, values.dtype)
    reading = [(file.seek, values.start), (file.readinto, place.reshape(-1).view(np.uint8).data)]  # type: ignore[attr-defined]
    if in_place:
        return reading
    _finish(reading)
    return [backend.assignment(array, _converted(place, array.dtype))]


def _converted(values: Any, dtype: np.dtype[Any]) -> Any:
    """An array of numbers of a state in another type, which may round them."""
    if values.dtype == dtype:
        return values
    with np.errstate(over="ignore"):
        converted = values.astype(dtype)
    if not np.array_equal(np.isfinite(converted), np.isfinite(values)):
        raise ValueError(f"the state has numbers beyond {dtype}; expected a state that {dtype} can hold")
    return converted


def _commit(
    optimizer: state_dicts.Stateful,
    groups: list[Group] | None,
    copies: list[Call],
    counts: tuple[Sequence[int], int, int],
) -> None:
    """Write everything at once, while no other thread steps the optimizer."""
    members, (steps, skipped, step_count) = optimizer._members, counts
    tensors = members.tensors
    with tensors.change():
        refusing = [] if groups is None else members.use_calls(groups)
        calls = list(copies)
        for array, values in ((tensors.steps, steps), (tensors.skips, [skipped])):
            calls += _copies(array, np.array(values, np.int64), members.backend, None)
        calls.append((setattr, tensors, "step_count", step_count))
        # What else may fail is a disk, someone who cuts off the file since its checksum was computed, or an allocation, after
        # which everything is written again: some of it may have been.
        try:
            _finish(refusing + calls)
        except MemoryError:
            _finish(refusing + calls)


def _finish(calls: list[Call]) -> None:
    results = at_once(calls)
    for (function, *arguments), result in zip(calls, results, strict=True):
        if getattr(function, "__name__", "") == "readinto" and result != arguments[0].nbytes:
            raise OSError(
                "the file was cut off while it was read, and the state is incomplete; load it again from another file"
            )
