"""A race as a picture, by matplotlib: contours of the surface with each method's path, up to a step or to the end."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastadam.viz.contours import LEVELS, contours
from fastadam.viz.extra import needed
from fastadam.viz.result import Race
from fastadam.viz.style import STYLES, drawn_in_order
from fastadam.viz.svg import save_svg

SIZE = 9.0, 5.6  # inches
ON_MAP = "#010101"  # black, also on a dark page: the map is light
FAR = 1e6  # paths are drawn up to this coordinate, so that no renderer has to cope with those of a path that diverges


def new_figure() -> Any:
    return needed("matplotlib.figure").Figure(figsize=SIZE, layout="constrained")


def draw_contours(figure: Any, race: Race) -> Any:
    """Contours of the surface, and a legend of the paths. Returns the axes to draw the paths in."""
    surface, drawn, axes = race.surface, contours(race.surface), figure.subplots()
    axes.set_rasterization_zorder(0)  # what is below is pixels in an SVG too
    axes.contourf(drawn.x, drawn.y, drawn.shown, np.linspace(0, 1, LEVELS + 1), cmap="Greys", alpha=0.2, zorder=-1)
    axes.contour(drawn.x, drawn.y, drawn.shown, np.linspace(0, 1, LEVELS + 1), colors="#a0a0a0", linewidths=0.5)
    axes.set(xlim=surface.region[0], ylim=surface.region[1], xlabel="x", ylabel="y", title=" ")
    axes.plot(*surface.start, "o", color=ON_MAP, markersize=8, markerfacecolor="none", label="start")
    if surface.minima:
        axes.plot(*np.transpose(surface.minima), "+", color=ON_MAP, markersize=11, label="minimum")
    for name, lr in race.rates.items():
        style = STYLES[name]
        axes.plot([], [], style.linestyle, color=style.color, marker=style.marker, label=f"{name}, lr {lr:.3g}")
    figure.legend(loc="outside right upper", frameon=False)
    return axes


class Paths:
    """The paths of all methods; :meth:`show` draws them up to a step."""

    def __init__(self, axes: Any, race: Race) -> None:
        self._axes, self._race = axes, race
        self._drawn: dict[str, tuple[Any, Any]] = {}
        for name in drawn_in_order(race.trajectories):
            style = STYLES[name]
            (line,) = axes.plot([], [], style.linestyle, color=style.color, linewidth=style.width, zorder=3)
            (head,) = axes.plot([], [], style.marker, color=style.color, markersize=9, markeredgecolor="white", zorder=4)
            self._drawn[name] = line, head

    def show(self, step: int) -> None:
        for name, (line, head) in self._drawn.items():
            path = self._race.trajectories[name].positions[: step + 1].T
            x, y = np.where(np.abs(path) < FAR, path, np.nan)
            line.set_data(x, y)
            head.set_data(x[-1:], y[-1:])
        self._axes.set_title(f"{self._race.surface.title}, step {step} of {self._race.steps}")


def _shortened(svg: str) -> str:
    """Coordinates cut to a hundredth of a point; matplotlib writes millionths."""
    return re.sub(r' d="[^"]*"', lambda match: re.sub(r"(\.\d\d)\d+", r"\1", match[0]), svg)


def expect_possible(file: Path) -> None:
    """Raise ImportError without what a picture needs."""
    needed("matplotlib.figure")


def write(races: Sequence[Race], file: Path) -> None:
    """Write the picture of a race."""
    (race,) = races
    figure = new_figure()
    Paths(draw_contours(figure, race), race).show(race.steps)
    if file.suffix.lower() == ".svg":
        save_svg(figure, file, dpi=60)
        file.write_text(_shortened(file.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        figure.savefig(file, dpi=150)
