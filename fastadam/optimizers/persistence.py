"""The methods of an optimizer that save and restore its state: state dicts, files, pickles and copies."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self

from fastadam.backends.dtypes import dtype_of
from fastadam.flat import has_others
from fastadam.optimizers.checks import flag
from fastadam.optimizers.hyperparameters import Declaring
from fastadam.optimizers.members import Members, new_states
from fastadam.optimizers.param_groups import Group
from fastadam.state import state_dicts
from fastadam.structure import Structure

if TYPE_CHECKING:
    from fastadam.state.restoring import Loaded

PICKLE_VERSION = 1

# The most bytes of JSON in a file: so many, and so many for each parameter here; or, if others may be in it, so many.
_MOST_HEADER, _MOST_HEADER_EACH, _MOST_HEADER_OTHERS = 1 << 20, 1 << 13, 1 << 28


class Persistent(Declaring, state_dicts.Stateful):
    """The part of an optimizer that saves and restores its state."""

    _defaults: dict[str, Any]

    def _take(self, members: Members) -> None:
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

    def load_state_dict(
        self,
        state_dict: Mapping[str, Any],
        *,
        strict: bool = True,
        hyperparameters: Literal["same", "load", "keep"] = "same",
        dtype: Literal["same", "convert"] = "same",
    ) -> "Loaded":
        """Restore what :meth:`state_dict` returned. The values are copied.

        Parameters
        ----------
        state_dict : mapping
            From an optimizer of the same class. Its parameters belong to those here that have the same names, whatever their
            order and groups; without names, to those at the same positions. Shapes and dtypes have to match, and the names of
            states. Arrays may be those of any library, and keys of ``"state"`` may be text, as JSON makes them.
        strict : bool
            Whether the parameters must be the same. If False, the state of parameters that are not in `state_dict` stays as it
            is (that of new ones: at step 0), and what is in it for others is left out. The result names both.
        hyperparameters : {"same", "load", "keep"}
            Those of `state_dict` must be equal, replace those here, or are ignored. A schedule here is never replaced by a
            number, and a schedule in a file, which does not hold it, must have one here unless hyperparameters are ignored.
        dtype : {"same", "convert"}
            Whether the states must be of the dtype of those here, or may be converted from float32 to float64 or the reverse,
            which rounds them. Complex states remain complex, and real ones real.

        Returns
        -------
        Loaded
            A tuple of two lists: ``missing`` and ``unexpected``, names of parameters (numbers if they have no names), empty if
            `strict`.

        Raises
        ------
        TypeError, ValueError
            If it does not fit; the message lists all differences. A call that raises changes nothing, whatever interrupts it.
        """
        from fastadam.state import restoring

        is_strict = flag("strict", strict)
        return restoring.restore(self, state_dict, "state_dict", strict=is_strict, hyperparameters=hyperparameters, dtype=dtype)

    def save(self, path: str | os.PathLike[str] | BinaryIO) -> None:
        """Write the contents of :meth:`state_dict` to a file, one array at a time.

        The file is an ``.npz`` without pickles, with a checksum, and has elements in C order, whatever that in memory. It is
        written to a temporary file beside `path`, flushed to disk and renamed. If the process is killed, `path` is the old file
        or the complete new one, and the next call removes the temporary file. An existing file keeps its permissions, and a
        symbolic link stays one: its target is replaced.

        Parameters
        ----------
        path : str, os.PathLike or binary file
            The file, which is replaced if it exists. No suffix is added, and ``~`` is refused. A file object, such as
            ``io.BytesIO()``, is written to where it stands, and neither flushed nor renamed.

        Raises
        ------
        OSError
            If it cannot be written. An existing file stays as it was.
        """
        from fastadam.state import checkpoint, paths  # here, because importing them is slow

        contents = state_dicts.to_file(self)
        if isinstance(path, str | os.PathLike):
            paths.replace(path, lambda file: checkpoint.write(file, *contents))
        elif hasattr(path, "write"):
            checkpoint.write(path, *contents)
        else:
            raise TypeError(f"path is a {type(path).__name__}; expected a str, an os.PathLike or a binary file")

    def load(
        self,
        path: str | os.PathLike[str] | BinaryIO,
        *,
        strict: bool = True,
        hyperparameters: Literal["same", "load", "keep"] = "same",
        dtype: Literal["same", "convert"] = "same",
    ) -> "Loaded":
        """Restore what :meth:`save` wrote, whatever the device.

        The file is read twice: once for its checksum, in small blocks, and then, if everything fits, straight into the arrays
        of the state. So it needs no memory for a second state (but that on a GPU, and what is not C-contiguous, is gathered in
        the CPU's memory first).

        Parameters
        ----------
        path : str, os.PathLike or binary file
            The file. The rest of a file object is read at once.
        strict, hyperparameters, dtype
            As for :meth:`load_state_dict`.

        Returns
        -------
        Loaded
            As for :meth:`load_state_dict`.

        Raises
        ------
        OSError
            If the file cannot be read. If that happens only when it is read again, or another process cuts it off meanwhile,
            the state is incomplete, and the message says so.
        TypeError, ValueError
            If the file is damaged or its contents do not fit. A call that raises these, or is interrupted, changes nothing.
        """
        from fastadam.state import reading, restoring

        is_strict = flag("strict", strict)
        most = _MOST_HEADER + _MOST_HEADER_EACH * len(self._members.params) if is_strict else _MOST_HEADER_OTHERS
        file, name = reading.opened(path)
        with file:
            contents = reading.read(file, name, most)
            state_dict = state_dicts.from_file(contents.header, contents.arrays, name)
            return restoring.restore(
                self, state_dict, name, strict=is_strict, hyperparameters=hyperparameters, dtype=dtype, file=file
            )

    # A pickle refers to nothing in this package but the optimizer's class: the rest is arrays and plain values.

    def __getstate__(self) -> dict[str, Any]:
        members = self._members
        if has_others(members.params):
            raise ValueError(
                "params shares memory with views of fastadam.flatten, which pickle and copy.deepcopy copy apart from each "
                "other: steps of a copy would not reach them; copy the views, flatten them again, make an optimizer over that, "
                "and call its load_state_dict(optimizer.state_dict())"
            )
        return self._contents(members.states)

    def __copy__(self) -> Self:
        """An optimizer of the same parameters, with hyperparameters, state and counts of its own."""
        members = self._members
        states = new_states(members.params, self._groups)
        for mine, others in zip(states, members.states, strict=True):
            for name, array in mine.items():
                array[...] = others[name]
        duplicate = type(self).__new__(type(self))
        duplicate.__setstate__(self._contents(states))
        return duplicate

    def _contents(self, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        members = self._members
        everything: Any = object.__getstate__(self)
        attributes, slots = everything if isinstance(everything, tuple) else (everything, {})  # slots of a subclass
        return {
            "version": PICKLE_VERSION,
            "structure": members.structure.plain(),
            "params": members.params,
            "states": states,
            "groups": [(group.size, group.given) for group in self._groups],
            "defaults": self._defaults,
            "counts": members.counts,
            "capturable": members.capturable,
            "own": {name: value for name, value in (attributes | slots).items() if name not in self._attributes},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        if (version := state.get("version")) != PICKLE_VERSION:
            raise ValueError(
                f"the pickle is of version {version}; expected version {PICKLE_VERSION}, which this fastadam reads; read it "
                "with the one that wrote it, and save() the state"
            )
        self._defaults = state["defaults"]
        dtype = dtype_of(state["params"][0])
        groups = [Group.make(type(self), size, given, dtype) for size, given in state["groups"]]
        structure = Structure.from_plain(state["structure"])
        members = Members(structure, state["params"], state["states"], groups, state["capturable"], *state["counts"])
        self._take(members)
        for name, value in state["own"].items():
            object.__setattr__(self, name, value)
