"""Whether a state dict fits an optimizer: its parameters are found by name, or by position if they have none."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastadam.backends.devices import is_array, is_masked
from fastadam.backends.dispatch import backend_of
from fastadam.optimizers.hyperparameters import with_later
from fastadam.optimizers.param_groups import Group
from fastadam.plain_numbers import to_int
from fastadam.state.reading import Stored
from fastadam.state.state_dicts import SCHEDULE, Stateful

_ABOUT_PARAMS = ("params", "param_shapes", "param_names")


class Match(NamedTuple):
    """What of a state dict belongs to what of an optimizer."""

    states: list[Mapping[str, Any] | None]  # for each parameter of the optimizer
    groups: list[Mapping[str, Any] | None]  # for each group of the optimizer
    missing: list[Any]
    unexpected: list[Any]


class _Param(NamedTuple):
    name: Any  # or its number
    shape: Any
    group: Mapping[str, Any]


def misfits_of(
    optimizer: Stateful,
    here: Mapping[str, Any],
    there: Mapping[str, Any],
    strict: bool,
    hyperparameters: str,
    converts: bool,
    misfits: list[str],
) -> Match | None:
    """What belongs together. `misfits` gets a sentence for each difference; None if there is nothing to compare."""
    theirs = _params(there, "its ", misfits) if _has_all(here, there, misfits) else None
    if theirs is None:
        return None
    if there["optimizer"] != here["optimizer"]:
        misfits.append(f"it is of {shown(there['optimizer'])}; expected one of {here['optimizer']!r}")
    for name in ("step_count", "skipped_steps"):
        _expect_count(name, there[name], misfits)
    states = {_number(key): state for key, state in there["state"].items()}
    if states.keys() != set(range(len(theirs))):
        misfits.append(f"it has state of parameters {shown([*states])}; expected 0 to {len(theirs) - 1}, those of its groups")
        return None
    ours = _params(here, "", misfits) or []
    pairs = _pairs(ours, theirs, misfits)
    match = Match([], [], [], [])
    matched = {j for j in pairs if j is not None}
    match.missing.extend(param.name for param, j in zip(ours, pairs, strict=True) if j is None)
    match.unexpected.extend(param.name for j, param in enumerate(theirs) if j not in matched)
    if strict and match.missing:
        misfits.append(f"it has no state of {shown(match.missing)}; pass strict=False to leave theirs as it is")
    if strict and match.unexpected:
        misfits.append(f"it has state of {shown(match.unexpected)}, which are not here; pass strict=False to leave it out")
    for i, j in enumerate(pairs):
        if j is None:
            match.states.append(None)
            continue
        if plain(theirs[j].shape) != ours[i].shape:
            misfits.append(f"parameter {ours[i].name!r} has shape {shown(plain(theirs[j].shape))}; expected {ours[i].shape}")
        match.states.append(_state(f"state[{j}]", optimizer._members.states[i], states[j], converts, misfits))
    start = 0
    for g, group in enumerate(optimizer._groups):
        found = {id(theirs[j].group): theirs[j].group for j in pairs[start : start + group.size] if j is not None}
        start += group.size
        match.groups.append(next(iter(found.values()), None))
        if hyperparameters != "keep":
            for other in found.values() if hyperparameters == "same" else [*found.values()][:1]:
                _compare(f"param_groups[{g}]", here["param_groups"][g], other, group, hyperparameters, misfits)
            if hyperparameters == "load" and len(found) > 1:
                misfits.append(f"param_groups[{g}] has parameters of {len(found)} groups there; pass hyperparameters='keep'")
    return match


def _has_all(here: Mapping[str, Any], there: Mapping[str, Any], misfits: list[str]) -> bool:
    if missing := here.keys() - there.keys():
        misfits.append(f"it has no {sorted(missing)}; expected what state_dict() returns")
        return False
    groups, states = there["param_groups"], there["state"]
    if not isinstance(groups, list | tuple) or not all(isinstance(group, Mapping) for group in groups):
        misfits.append("param_groups is not a list of mappings")
    elif not isinstance(states, Mapping) or not all(isinstance(state, Mapping) for state in states.values()):
        misfits.append("state is not a mapping from numbers of parameters to mappings")
    return not misfits


def _params(described: Mapping[str, Any], whose: str, misfits: list[str]) -> list[_Param] | None:
    """All parameters; None if the groups contradict themselves."""
    params: list[_Param] = []
    for g, group in enumerate(described["param_groups"]):
        lists = [group.get(name) for name in ("params", "param_shapes")]
        names = group.get("param_names", lists[0])
        if not all(isinstance(each, list | tuple) for each in (*lists, names)):
            misfits.append(f"{whose}param_groups[{g}] has no lists 'params' and 'param_shapes' and, if any, 'param_names'")
            return None
        numbers = [*range(len(params), len(params) + len(lists[1]))]
        if [*lists[0]] != numbers or len(names) != len(numbers):
            misfits.append(f"{whose}param_groups[{g}]['params'] is {shown([*lists[0]])}; expected {shown(numbers)}")
            return None
        params += [_Param(name, shape, group) for name, shape in zip(names, lists[1], strict=True)]
    return params


def _pairs(ours: Sequence[_Param], theirs: Sequence[_Param], misfits: list[str]) -> list[int | None]:
    """For each of our parameters the position of theirs."""
    named = [{"param_names" in param.group for param in params} for params in (ours, theirs)]
    names = [param.name for param in ours], [param.name for param in theirs]
    if theirs and named[0] != named[1]:
        words = ("no names", "names")
        misfits.append(
            f"its parameters have {words[True in named[1]]} and those here have {words[True in named[0]]}; make the optimizer "
            f"with a {'mapping, as' if True in named[1] else 'list, as'} there"
        )
    if True not in named[0] or names[0] == names[1]:
        return [i if i < len(theirs) else None for i in range(len(ours))]
    if not all(isinstance(name, str) for name in names[1]) or any(len(set(each)) < len(each) for each in names):
        misfits.append(f"its parameters are {shown(names[1])}; expected {shown(names[0])}")
        return [None] * len(ours)
    places = {name: j for j, name in enumerate(names[1])}
    return [places.get(name) for name in names[0]]


def _compare(
    name: str, here: Mapping[str, Any], there: Mapping[str, Any], group: Group, hyperparameters: str, misfits: list[str]
) -> None:
    """Compare the hyperparameters of a group."""
    kind = group.hyperparameters.kind
    here, there = with_later(kind, here), with_later(kind, there)
    for key, ours in here.items():
        if key in _ABOUT_PARAMS:
            continue
        if key not in there:
            misfits.append(f"{name} has no {key!r}; expected {ours!r}")
            continue
        found = there[key]
        if kind._declared[key].is_storage:
            if found != ours:
                misfits.append(f"{name}[{key!r}] is {shown(found)}; expected {ours!r}; make the optimizer with {key}={found!r}")
            continue
        is_schedule = callable(ours), callable(found) or found == SCHEDULE
        same = all(is_schedule) or (not any(is_schedule) and plain(found) == ours)
        # Files do not hold schedules, so the optimizer must have one.
        if not same and (hyperparameters == "same" or (found == SCHEDULE and not callable(ours))):
            words = "a schedule" if found == SCHEDULE else shown(found)
            also = "'load' or 'keep'" if found != SCHEDULE else "'keep'"
            misfits.append(f"{name}[{key!r}] is {words}; expected {ours!r}, or set it, or pass hyperparameters={also}")
    if unexpected := [key for key in there if key not in here and key not in _ABOUT_PARAMS]:
        misfits.append(f"{name} has {shown(unexpected)}, which this optimizer does not know")


def replaces(theirs: Any, ours: Any) -> bool:
    """Whether a hyperparameter replaces ours. A schedule is not in a file, and not replaced by the number that it had."""
    return theirs is not ours and (callable(theirs) or not callable(ours))


def _state(name: str, here: Mapping[str, Any], there: Mapping[str, Any], converts: bool, misfits: list[str]) -> dict[str, Any]:
    """The state of a parameter with arrays in CPU memory. `converts`: whether float32 may become float64, and the reverse."""
    state = dict(there)
    _expect_count(f"{name}['step']", there.get("step"), misfits)
    if names := [each for each in here if each not in there]:
        misfits.append(f"{name} has no {names}")
    if names := [each for each in there if each not in here and each != "step"]:
        misfits.append(f"{name} has {shown(names)}, which this optimizer does not keep")
    for key, array in here.items():
        if key not in there:
            continue
        found = there[key]
        if not isinstance(found, Stored):
            if not is_array(found):
                kind = type(found).__name__
                misfits.append(f"{name}[{key!r}] is a {kind}; expected an array: numpy.asarray(..., numpy.{array.dtype})")
                continue
            if is_masked(found):
                misfits.append(f"{name}[{key!r}] is a masked array; expected one without a mask, such as its filled()")
                continue
            try:
                found = state[key] = np.asarray(backend_of(found).to_host(found))
            except (BufferError, RuntimeError, TypeError, ValueError) as error:
                misfits.append(f"{name}[{key!r}] cannot be read as an array: {error}")
                continue
        is_alike = found.dtype.kind == array.dtype.kind and found.dtype in (np.float32, np.float64, np.complex64, np.complex128)
        if found.dtype != array.dtype and not (converts and is_alike):
            advice = ", or pass dtype='convert'" if is_alike and not converts else ""
            misfits.append(f"{name}[{key!r}] has dtype {found.dtype}; expected {array.dtype}{advice}")
        if found.shape != array.shape:
            misfits.append(f"{name}[{key!r}] has shape {shown(found.shape)}; expected {array.shape}")
    return state


def _expect_count(name: str, value: Any, misfits: list[str]) -> None:
    try:
        if not 0 <= to_int(value) < 2**63 - 1:
            misfits.append(f"{name} is {shown(value)}; expected 0 to 2**63 - 2")
    except TypeError:
        misfits.append(f"{name} is {shown(value)}; expected an integer")


def _number(key: Any) -> Any:
    """A key of the state as a number; JSON makes text of it."""
    return int(key) if isinstance(key, str) and key.isdecimal() and len(key) < 19 else key


def plain(value: Any) -> Any:
    """`value` with tuples in place of lists, into which JSON turns them."""
    return tuple(map(plain, value)) if isinstance(value, list | tuple) else value


def shown(value: Any) -> str:
    """`value` in a message, which a file must not make long."""
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}..."
