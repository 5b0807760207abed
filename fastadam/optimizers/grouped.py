"""The groups of an optimizer: what users see of them, change in them and add to them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastadam.at_once import Call, at_once
from fastadam.lazy import if_missing
from fastadam.optimizers.growth import Growth
from fastadam.optimizers.members import Members
from fastadam.optimizers.param_groups import Given, Group, ParamGroup, ParamGroups, parse_group
from fastadam.optimizers.persistence import Persistent


class Grouped(Persistent):
    """The part of an optimizer that keeps its groups."""

    _attributes = frozenset({"_capturable", "_defaults", "_growth", "_members"})
    _capturable: bool
    _growth: Growth | None

    def _take(self, members: Members) -> None:
        vars(self).update(_members=members, _growth=None, _capturable=members.capturable)

    @if_missing
    def _members(self) -> Members:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What is stepped. It is missing from the instance, and found by this, if `_growth` has changes for it.

        So any number of changes costs what one does, and a step without changes costs nothing more.
        """
        with (base := self._base()).tensors.change():
            growth = self._growth
            if growth is None:  # another thread was faster
                return base
            members = growth.settled()
            calls: list[Call] = [(vars(self).update, {"_members": members, "_growth": None})]
            if members is not base:
                calls.append((base.tensors.retire,))
            at_once(calls)
            return members

    def _base(self) -> Members:
        """The members before the changes that wait. Within their context no other thread steps or changes the optimizer."""
        latest = self._latest()
        return latest.members if isinstance(latest, Growth) else latest

    def _latest(self) -> Members | Growth:
        while True:  # for as long as another thread comes between the two
            members: Members | None = vars(self).get("_members")
            if members is not None:
                return members
            if (growth := self._growth) is not None:
                return growth

    @property
    def _groups(self) -> list[Group]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The groups, with the values that schedules had in the last step."""
        return self._latest().groups

    def _later(self) -> Growth:
        """Where changes wait for the next use of `_members`, which are missing from now on."""
        latest = self._latest()
        if isinstance(latest, Growth):
            return latest
        growth = self._growth or Growth(latest)  # if there is one, something interrupted this
        growth.groups = [*latest.groups]
        self._growth = growth
        del vars(self)["_members"]
        return growth

    @property
    def param_groups(self) -> Sequence[ParamGroup]:
        """The groups: mappings with ``"params"`` and the hyperparameters, which can be set between steps.

        ``param_groups[i].current`` has the values that schedules had in the last step.
        """
        return ParamGroups(len(self._groups), self._param_group)

    def _param_group(self, i: int) -> ParamGroup:
        return ParamGroup(lambda: self._members.params_of(i), lambda: self._groups[i], lambda given: self._change([i], given))

    def _change(self, which: Iterable[int], changes: Given) -> list[Group]:
        """Change hyperparameters of some groups."""
        with self._base().tensors.change():
            groups = self._groups
            changed = {i: groups[i].changed(changes) for i in which}
            if self._capturable:  # replays of a graph take them too
                self._members.use([changed.get(i, group) for i, group in enumerate(groups)])
                return self._groups
            growth = self._later()
            first, last = min(changed), max(changed)  # one or all
            growth.groups[first : last + 1] = [changed[i] for i in range(first, last + 1)]  # at once, whatever interrupts this
            return growth.groups

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add parameters, which start at step 0.

        Parameters
        ----------
        param_group : mapping
            ``"params"``, and the hyperparameters that differ from those of the optimizer. :meth:`step` expects the gradients of
            the new parameters after the others: as more members of a sequence, or as more keys if `params` was a mapping.

        Raises
        ------
        TypeError, ValueError
            As for the constructor, and if an array is already in a group. A call that raises changes nothing.
        RuntimeError
            If another thread is stepping this optimizer, or changing its groups.

        Notes
        -----
        Re-read `state` afterwards: step counts read from it before no longer advance.
        """
        kind = type(self)
        structure, arrays, given = parse_group(param_group, kind, "param_group")
        with self._base().tensors.change():
            group = Group.make(kind, len(arrays), self._defaults | given, self._groups[0].hyperparameters.dtype)
            self._later().add(structure, arrays, group)
