"""A race that has been set up, with each method's path over the surface, and how races are written to a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from os import PathLike
from pathlib import Path

from fastadam.lazy import computed_once
from fastadam.viz.surface import Surface
from fastadam.viz.trajectory import Trajectory, trajectory

WRITERS = {".html": "page", ".gif": "movie", ".mp4": "movie", ".svg": "picture", ".png": "picture"}


@dataclass(frozen=True)
class Race:
    """Methods that minimize the same function, as :func:`fastadam.viz.race` returns them.

    Attributes
    ----------
    surface : Surface
        The function, with the start.
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

    @computed_once
    def trajectories(self) -> dict[str, Trajectory]:
        """The path of each method."""
        return {method: self.trajectory(method) for method in self.rates}

    def trajectory(self, method: str, factor: float = 1.0, bias_correction: bool | None = None) -> Trajectory:
        """The path of a method at `factor` times its learning rate; `bias_correction` is by default that of the race."""
        corrected = self.bias_correction if bias_correction is None else bias_correction
        lr = self.rates[method] * factor
        return trajectory(self.surface, method, lr, steps=self.steps, seed=self.seed, bias_correction=corrected)

    def save(self, file: str | PathLike[str]) -> None:
        """Write this race to a file, as :func:`fastadam.viz.save` does."""
        save([self], file)


def save(races: Sequence[Race], file: str | PathLike[str]) -> None:
    """Write races to a file. Its folder is made if it does not exist.

    Parameters
    ----------
    races : sequence of Race
        A page may have several, to choose from; all else shows one.
    file : path
        Its suffix says what is written: ``.html`` is a page that needs no other file and no network, ``.gif`` or ``.mp4`` is a
        film (``.mp4`` needs ffmpeg), ``.svg`` or ``.png`` is a picture of the complete paths.

    Raises
    ------
    ValueError
        If the suffix is none of these, if there are several races and the file is not a page, or if the races on a page have
        different optimizers.
    ImportError, RuntimeError
        If plotly, matplotlib or ffmpeg is missing.
    """
    target = Path(file)
    check_output(target, len(races))
    writer = import_module(f"fastadam.viz.{WRITERS[target.suffix.lower()]}")
    target.parent.mkdir(parents=True, exist_ok=True)
    writer.write(races, target)


def check_output(file: Path, races: int = 1) -> None:
    """Refuse a file that cannot be written from this number of races, or without a library that is missing."""
    writer = WRITERS.get(file.suffix.lower())
    if writer is None:
        raise ValueError(f"output is {str(file)!r}; expected a name that ends in {', '.join(WRITERS)}")
    if races != 1 and writer != "page":
        raise ValueError(f"output is {str(file)!r}, which shows one race, but there are {races}; choose one, or write .html")
    import_module(f"fastadam.viz.{writer}").expect_possible(file)
