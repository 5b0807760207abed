"""How an optimizer's state leaves the process and comes back: state dicts, files, pickles and copies."""

import os
from collections.abc import Mapping
from typing import Any, ClassVar

from fastadam.optimizers.checks import flag
from fastadam.optimizers.members import Members
from fastadam.optimizers.options import Options
from fastadam.optimizers.param_groups import Group
from fastadam.state import state_dicts


class Persistent(state_dicts.Stateful):
    """The part of an optimizer that saves and restores its state."""

    _options_type: ClassVar[type[Options]]
    _step_count: int
    _defaults: dict[str, Any]

    def _take(self, groups: list[Group], members: Members) -> None:
        """Step these from now on."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """A copy of all but the parameters: NumPy arrays and plain values, whichever device the state is on.

        Returns
        -------
        dict
            ``"optimizer"`` (the class's name), ``"step_count"``, ``"skipped_steps"``, ``"param_groups"`` (for each group its
            hyperparameters by name, ``"params"``, which are the numbers of its parameters, and their ``"param_shapes"``; if
            `params` was a mapping also ``"param_names"``), and ``"state"``: for each number of a parameter its ``"step"``, an
            int, and its arrays by name.
        """
        state_dict = state_dicts.describe(self)
        for i, name, array in state_dicts.arrays(self):
            state_dict["state"][i][name] = array.copy()
        return state_dict

    def load_state_dict(self, state_dict: Mapping[str, Any], *, strict: bool = True) -> None:
        """Take over what :meth:`state_dict` gave. The values are copied.

        Parameters
        ----------
        state_dict : mapping
            Of an optimizer of the same class, with parameters of the same names and shapes and states of the same names,
            shapes and dtypes.
        strict : bool
            Whether hyperparameters must be the same too. If not, they are taken over, as ``torch.optim`` does.

        Raises
        ------
        TypeError, ValueError
            If it does not fit; the message names all that differs. Then nothing has been changed.
        """
        state_dicts.restore(self, state_dict, flag("strict", strict), "state_dict")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that :meth:`state_dict` has to a file, one array after the other.

        The file is a ``.npz`` without pickles and with a checksum. It is written beside `path`, flushed to the disk and
        renamed: a process killed at any moment leaves the file that was there, or the new one.

        Parameters
        ----------
        path : str or os.PathLike
            Where to; taken as it is, and replaced.

        Raises
        ------
        OSError
            If it cannot be written. Then the file that was there is as it was.
        """
        from fastadam.state import checkpoint  # here, since importing it takes a third of the package's time

        named = ((f"state/{i}/{name}", array) for i, name, array in state_dicts.arrays(self))
        checkpoint.write(path, state_dicts.encode(state_dicts.describe(self)), named)

    def load(self, path: str | os.PathLike[str], *, strict: bool = True) -> None:
        """Take over what :meth:`save` wrote, from whatever device.

        Parameters
        ----------
        path : str or os.PathLike
            The file.
        strict : bool
            As for :meth:`load_state_dict`. A schedule is not in the file: where the optimizer that was saved had one, this
            one must have one too, which it keeps.

        Raises
        ------
        OSError
            If the file cannot be read.
        TypeError, ValueError
            If a byte of the file is not what was written, or what it holds does not fit. Then nothing has been changed.
        """
        from fastadam.state import checkpoint

        header, arrays = checkpoint.read(path)
        state_dict = state_dicts.decode(header)
        for name, array in arrays.items():
            _, i, state = name.split("/")
            state_dict["state"][int(i)][state] = array
        state_dicts.restore(self, state_dict, flag("strict", strict), os.fspath(path))

    def __getstate__(self) -> dict[str, Any]:
        members = self._members
        return {
            "structure": members.structure,
            "params": members.params,
            "states": members.states,
            "groups": [(group.size, group.given) for group in self._groups],
            "defaults": self._defaults,
            "counts": members.counts,
            "step_count": self._step_count,
            "capturable": members.capturable,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._step_count, self._defaults = state["step_count"], state["defaults"]
        groups = [Group.make(self._options_type, size, given, self._step_count) for size, given in state["groups"]]
        members = Members(state["structure"], state["params"], state["states"], groups, state["capturable"], *state["counts"])
        self._take(groups, members)
