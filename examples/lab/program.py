"""The command line of the gallery's programs: run an experiment, plot the results and check them."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fastadam.viz.svg import save_svg
from lab.figures import CAPTION, for_narrow_screens


@dataclass(frozen=True)
class Settings:
    """What the user can choose."""

    small: bool = False  # a version for tests, which takes a few seconds and shows the same
    seed: int = 0
    data: Path | None = None  # a folder with the real data; None: scikit-learn's or synthetic data
    xp: ModuleType = np  # NumPy or CuPy


@dataclass(frozen=True)
class Experiment:
    """A program of the gallery.

    `run` does the work and shows a progress bar. The others take its result: `figure` plots it; `check` raises AssertionError,
    with the numbers, if it is not what the experiment should show; `summary` describes it in text.
    """

    run: Callable[[Settings], Any]
    figure: Callable[[Any], Figure]
    check: Callable[[Any], None]
    summary: Callable[[Any], str]
    trains_model: bool = False  # whether the user can choose the data and the device
    has_small: bool = True  # whether the small version is another one


def main(experiment: Experiment, path: str, description: str) -> None:
    """The command line of the program at `path`, whose docstring is `description`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="run the small version, which takes seconds, as in the tests")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default: 0)")
    parser.set_defaults(data=None, gpu=False)
    if experiment.trains_model:
        parser.add_argument(
            "--data", type=Path, metavar="DIR", help="a folder with the real data set (default: none is needed)"
        )
        parser.add_argument("--gpu", action="store_true", help="compute with CuPy instead of NumPy")
    parser.add_argument("--output", type=Path, default=Path(f"build/gallery/{Path(path).stem}.svg"), help="file for the figure")
    options = parser.parse_args()
    result = experiment.run(Settings(options.small, options.seed, options.data, _array_module(options.gpu)))
    print(experiment.summary(result))
    try:
        experiment.check(result)
    except AssertionError as error:
        sys.exit(f"not the expected result: {error}")
    for path, figure in drawn(experiment, result, options.output).items():
        if options.small and experiment.has_small:
            figure.get_layout_engine().set(rect=(0, 0.04, 1, 0.96))
            figure.text(1, 0, "small version ", ha="right", va="bottom", **CAPTION)
        save(figure, path)
    print(f"figure: {options.output}")


def drawn(experiment: Experiment, result: Any, path: Path) -> dict[Path, Figure]:
    """The figure, and another one for narrow screens if its panels stand side by side, under the names of their files."""
    figures = {path: experiment.figure(result)}
    if len(figures[path].axes) > 1:
        with for_narrow_screens():
            figures[path.with_stem(f"{path.stem}-narrow")] = experiment.figure(result)
    return figures


def save(figure: Figure, path: Path) -> None:
    """Save a figure, for light and dark pages if it is an SVG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".svg":
        save_svg(figure, path)
    else:
        figure.savefig(path, dpi=150)


def _array_module(gpu: bool) -> ModuleType:
    if not gpu:
        return np
    try:
        import cupy
    except ImportError as error:
        raise SystemExit("--gpu needs CuPy: pip install 'fastadam[cuda13]'") from error
    return cupy
