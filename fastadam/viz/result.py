"""Races that have been set up: the ways of all methods over a surface, and how they are written to a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from os import PathLike
from pathlib import Path

from fastadam.viz.surface import Surface
from fastadam.viz.trajectory import Trajectory, trajectory

WRITERS = {".html": "page", ".gif": "movie", ".mp4": "movie", ".svg": "picture", ".png": "picture"}


@dataclass(frozen=True)
class Race:
    """Methods that descend one surface; :func:`fastadam.viz.race` makes it.

    Attributes
    ----------
    surface : Surface
        What is descended, and from where.
    rates : dict
        The learning rate of each method.
    steps, seed, bias_correction
        As for :func:`fastadam.viz.race`.
    """

    surface: Surface
    rates: Mapping[str, float]
    steps: int
    seed: int
    bias_correction: bool

    @cached_property
    def trajectories(self) -> dict[str, Trajectory]:
        """The way of each method."""
        return {method: self.trajectory(method) for method in self.rates}

    def trajectory(self, method: str, factor: float = 1.0, bias_correction: bool | None = None) -> Trajectory:
        """The way of a method at `factor` times its learning rate, and with or without bias correction as in this race."""
        corrected = self.bias_correction if bias_correction is None else bias_correction
        lr = self.rates[method] * factor
        return trajectory(self.surface, method, lr, steps=self.steps, seed=self.seed, bias_correction=corrected)

    def save(self, path: str | PathLike[str]) -> None:
        """Write it: :func:`fastadam.viz.save` of this race alone."""
        save([self], path)


def save(races: Sequence[Race], path: str | PathLike[str]) -> None:
    """Write races to a file, whose folder is made if there is none.

    Parameters
    ----------
    races : sequence of Race
        Several for a page, on which one of them is chosen; one for all else.
    path : path
        Its suffix says what is written: ``.html``, one page that needs no other file and no network; ``.gif`` or ``.mp4``, a
        film (the latter takes ffmpeg); ``.svg`` or ``.png``, a picture of the whole ways.

    Raises
    ------
    ValueError
        If the suffix is another one, if there are several races and it is no page, or if they are of different optimizers.
    ImportError, RuntimeError
        If plotly, matplotlib or ffmpeg is missing.
    """
    target = Path(path)
    check_output(target, len(races))
    writer = import_module(f"fastadam.viz.{WRITERS[target.suffix.lower()]}")
    target.parent.mkdir(parents=True, exist_ok=True)
    writer.write(races, target)


def check_output(path: Path, races: int = 1) -> None:
    """Refuse a file that cannot be written from so many races."""
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise ValueError(f"output is {str(path)!r}; expected a name that ends in {', '.join(WRITERS)}")
    if races != 1 and writer != "page":
        raise ValueError(f"output is {str(path)!r}, which shows one race, and there are {races}; choose one, or write .html")
