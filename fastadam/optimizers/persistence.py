"""The methods of an optimizer that save and restore its state: state dicts, files, pickles and copies."""

import os
from collections.abc import Mapping
from typing import Any

from fastadam.optimizers.checks import flag
from fastadam.optimizers.hyperparameters import Declaring
from fastadam.optimizers.members import Members
from fastadam.optimizers.param_groups import Group
from fastadam.state import state_dicts
from fastadam.structure import Structure


class Persistent(Declaring, state_dicts.Stateful):
    """The part of an optimizer that saves and restores its state."""

    _defaults: dict[str, Any]

    def _take(self, groups: list[Group], members: Members) -> None:
        """Use these from now on."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """A copy of everything but the parameters, as NumPy arrays and plain values, whatever the device.

        Returns
        -------
        dict
            ``"optimizer"`` (the name of the class), ``"step_count"``, ``"skipped_steps"``, ``"param_groups"`` (for each group
            its hyperparameters, the indices of its parameters in ``"params"``, their ``"param_shapes"``, and their
            ``"param_names"`` if `params` was a mapping), and ``"state"`` (for each parameter's index its ``"step"``, an int,
            and its arrays by name).
        """
        state_dict = state_dicts.describe(self)
        for i, name, array in state_dicts.arrays(self):
            state_dict["state"][i][name] = array.copy()
        return state_dict

    def load_state_dict(self, state_dict: Mapping[str, Any], *, strict: bool = True) -> None:
        """Restore what :meth:`state_dict` returned. The values are copied.

        Parameters
        ----------
        state_dict : mapping
            From an optimizer of the same class. The names and shapes of its parameters and the names, shapes and dtypes of its
            states have to match.
        strict : bool
            Whether hyperparameters must match too. If False, they are replaced, as in ``torch.optim``.

        Raises
        ------
        TypeError, ValueError
            If it does not fit; the message lists all differences. A call that raises changes nothing.
        """
        state_dicts.restore(self, state_dict, flag("strict", strict), "state_dict")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the contents of :meth:`state_dict` to a file, one array at a time.

        The file is an ``.npz`` without pickles, with a checksum. It is written to a temporary file beside `path`, flushed to
        disk and renamed. If the process is killed, `path` is the old file or the complete new one.

        Parameters
        ----------
        path : str or os.PathLike
            The file, which is replaced if it exists. No suffix is added.

        Raises
        ------
        OSError
            If it cannot be written. An existing file stays as it was.
        """
        from fastadam.state import checkpoint  # here, because importing it is slow

        checkpoint.write(path, *state_dicts.to_file(self))

    def load(self, path: str | os.PathLike[str], *, strict: bool = True) -> None:
        """Restore what :meth:`save` wrote, whatever the device.

        Parameters
        ----------
        path : str or os.PathLike
            The file.
        strict : bool
            As for :meth:`load_state_dict`. Schedules are not saved: where the saved optimizer had one, this one must have one
            too, and keeps it.

        Raises
        ------
        OSError
            If the file cannot be read.
        TypeError, ValueError
            If the file is damaged or its contents do not fit. A call that raises changes nothing.
        """
        from fastadam.state import checkpoint

        state_dict = state_dicts.from_file(*checkpoint.read(path))
        state_dicts.restore(self, state_dict, flag("strict", strict), os.fspath(path))

    # A pickle refers to nothing in this package but the optimizer's class: the rest is arrays and plain values.

    def __getstate__(self) -> dict[str, Any]:
        members = self._members
        everything: Any = object.__getstate__(self)
        attributes, slots = everything if isinstance(everything, tuple) else (everything, {})  # slots of a subclass
        return {
            "structure": members.structure.plain(),
            "params": members.params,
            "states": members.states,
            "groups": [(group.size, group.given) for group in self._groups],
            "defaults": self._defaults,
            "counts": members.counts,
            "capturable": members.capturable,
            "own": {name: value for name, value in (attributes | slots).items() if name not in self._attributes},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._defaults = state["defaults"]
        groups = [Group.make(type(self), size, given) for size, given in state["groups"]]
        structure = Structure.from_plain(state["structure"])
        members = Members(structure, state["params"], state["states"], groups, state["capturable"], *state["counts"])
        self._take(groups, members)
        for name, value in state["own"].items():
            object.__setattr__(self, name, value)
