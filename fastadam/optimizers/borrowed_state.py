"""State whose memory is the caller's: arrays for each parameter by the names of its states."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastadam._native import Refused
from fastadam.backends.dispatch import backend_of
from fastadam.backends.refusals import explain
from fastadam.backends.roles import STATE
from fastadam.optimizers.param_groups import Group
from fastadam.optimizers.storage import names_of
from fastadam.plain_numbers import to_int
from fastadam.structure import Structure

_MOST_STEPS = 2**63 - 2


def given_states(
    structure: Structure, params: Sequence[Any], groups: Sequence[Group], state: Any
) -> tuple[list[dict[str, Any]], list[int]]:
    """The states of each parameter, as arrays of the backend, and its step count. :class:`Members` checks the arrays."""
    members = [state] if structure.is_one else structure.flatten("state", state)
    of = [group.hyperparameters for group in groups for _ in range(group.size)]
    expected = [names_of(hyperparameters, param) for hyperparameters, param in zip(of, params, strict=True)]
    states, steps = [], []
    for i, (member, names) in enumerate(zip(members, expected, strict=True)):
        argument = structure.name("state", i)
        arrays, step = _one(argument, member, names)
        steps.append(step)
        try:
            views = [backend_of(params[0]).view(array, (STATE + k, i)) for k, array in enumerate(arrays)]
        except Refused as refused:
            look_up = _lookup(structure, params, argument, names, arrays)
            raise explain(refused, look_up) from refused.__cause__
        states.append(dict(zip(names, views, strict=True)))
    return states, steps


def _one(argument: str, member: Any, names: list[str]) -> tuple[list[Any], int]:
    """The arrays of a parameter, in the order of its rule's states, and its step count."""
    if not isinstance(member, Mapping):
        raise TypeError(f"{argument} is a {type(member).__name__}; expected a mapping with an array for each of {names}")
    missing, unexpected = [name for name in names if name not in member], [*(member.keys() - {*names, "step"})]
    if missing or unexpected:
        raise ValueError(
            f"{argument} lacks {missing} and has {unexpected}; expected an array for each of {names}, and maybe 'step'"
        )
    step = member.get("step", 0)
    try:
        number = to_int(step)
    except TypeError:
        raise TypeError(f"{argument}['step'] is {step!r}; expected an integer, the number of steps taken") from None
    if not 0 <= number <= _MOST_STEPS:
        raise ValueError(f"{argument}['step'] is {number}; expected 0 to 2**63 - 2 steps taken")
    return [member[name] for name in names], number


def _lookup(structure: Structure, params: Sequence[Any], argument: str, names: list[str], arrays: list[Any]) -> Any:
    def look_up(role: int, i: int) -> tuple[str, Any]:
        if role < STATE:
            return structure.name("params", i), params[i]
        return f"{argument}[{names[role - STATE]!r}]", arrays[role - STATE]

    return look_up
