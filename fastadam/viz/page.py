"""Races as one HTML file, by plotly.js, which is in it: nothing is loaded from anywhere.

The page is assembled from the files in web/. It computes the paths over the surfaces that have a name, with the kernels' bits.
Those over a function of your own come with it, at several learning rates and with and without bias correction, rounded to what
can be read or drawn. Both they and plotly.js are packed (zlib, base64).
"""

import base64
import html
import json
import math
import zlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from fastadam.viz.catalog import SURFACES
from fastadam.viz.contours import LEVELS, contours
from fastadam.viz.extra import needed
from fastadam.viz.methods import FIRST, METHODS
from fastadam.viz.result import Race
from fastadam.viz.style import STYLES, drawn_in_order
from fastadam.viz.surface import Point
from fastadam.viz.trajectory import QUANTITIES, Trajectory, noise_of

PIXELS = 1000  # about the width and height of the drawn surface
PARTS = ("page.css", "surfaces.js", "rules.js", "tools.js", "charts.js", "start.js", "keys.js", "page.js")
FACTORS = (0.3, 1.0, 3.0)  # of the learning rates, to choose from on the page


def expect_possible(file: Path) -> None:
    """Raise ImportError without what a page needs."""
    needed("plotly.offline")


def write(races: Sequence[Race], file: Path) -> None:
    """Write the page."""
    file.write_text(page(races), encoding="utf-8")


def page(races: Sequence[Race]) -> str:
    """The page as text. All races on it have the same methods."""
    if len(methods := {tuple(race.rates) for race in races}) != 1:
        raise ValueError(f"races have the optimizers {sorted(methods)}; expected at least one race, and the same in each")
    plotly = _packed(needed("plotly.offline").get_plotlyjs())
    packed = _packed(json.dumps(content(races), allow_nan=False))
    web = files("fastadam.viz") / "web"
    text = (web / "page.html").read_text(encoding="utf-8")
    parts = {name: (web / name).read_text(encoding="utf-8") for name in PARTS}
    title = races[0].surface.title if len(races) == 1 else f"{len(races)} surfaces"
    for name, part in {**parts, "title": html.escape(title), "packed": packed, "plotly.js": plotly}.items():
        text = text.replace(f"{{{{ {name} }}}}", part)
    return text


def _packed(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def content(races: Sequence[Race]) -> dict[str, Any]:
    """The data of the page, as it is in the JSON."""
    names = list(races[0].rates)
    return {
        "races": [_race(race) for race in races],
        "methods": {
            name: {
                "color": STYLES[name].color,
                "dash": STYLES[name].dash,
                "symbol": STYLES[name].symbol,
                "width": STYLES[name].width,
                "formulas": [METHODS[name].formulas(corrected) for corrected in (False, True)],
                "meanings": [METHODS[name].meanings(corrected) for corrected in (False, True)],
                "optimizer": METHODS[name].optimizer.__name__,
                "options": METHODS[name].options,
                "correctsBias": METHODS[name].corrects_bias,
                "hasM": METHODS[name].m.state is not None,
                "hasV": METHODS[name].v.state is not None,
            }
            for name in names
        },
        "drawn": drawn_in_order(names),
        "first": [name for name in names if name in FIRST or len(names) < len(METHODS)],
        "quantities": QUANTITIES,
        "factors": FACTORS,
        "levels": LEVELS,
        "biasCorrection": races[0].bias_correction,
    }


def _race(race: Race) -> dict[str, Any]:
    surface, drawn = race.surface, contours(race.surface)
    return {
        "name": surface.name,
        "title": surface.title,
        "shows": surface.shows,
        "source": surface.source,
        "region": surface.region,
        "start": surface.start,
        "minima": surface.minima,
        "steps": race.steps,
        "contours": {
            **{"x0": drawn.x[0], "dx": drawn.x[1] - drawn.x[0], "y0": drawn.y[0], "dy": drawn.y[1] - drawn.y[0]},
            "z": [_rounded(row, 3) for row in drawn.shown],
        },
        "rates": dict(race.rates),
        **_steps(race),
    }


def _steps(race: Race) -> dict[str, Any]:
    """The noise, with which the page computes the steps over a surface of the catalog; for another function, the paths.

    For each method and learning rate, these are the paths without and with bias correction, or the only one.
    """
    surface, known = race.surface, SURFACES.get(race.surface.name)
    if known is not None and (surface.value, surface.gradient) == (known.value, known.gradient):
        return {"noise": noise_of(surface, race.steps, race.seed).tolist() if surface.noise else None}

    def paths(name: str, factor: float) -> list[dict[str, Any]]:
        choices = (False, True) if METHODS[name].corrects_bias else (True,)
        return [_path(race.trajectory(name, factor, corrected), surface.region) for corrected in choices]

    return {"paths": {name: [paths(name, factor) for factor in FACTORS] for name in race.rates}}


def _path(path: Trajectory, region: tuple[Point, Point]) -> dict[str, Any]:
    """A path and what happens inside each step. A quantity that equals an earlier one is replaced by the name of that one."""
    inside: dict[str, Any] = {}
    for name, values in path.inside.items():
        same = (other for other in inside if np.array_equal(path.inside[other], values, equal_nan=True))
        inside[name] = next(same, None) or [_rounded(axis, 3) for axis in values.T]
    x, y = map(_placed, path.positions.T, region)
    return {"x": x, "y": y, "loss": _rounded(path.values, 3), "inside": inside}


def _placed(values: Any, edges: Point) -> list[float | None]:
    """Coordinates for JSON, rounded to a pixel or less."""
    decimals = math.ceil(math.log10(PIXELS / (edges[1] - edges[0])))
    return _rounded(np.round(values.astype(np.float64), decimals), 9)


def _rounded(values: Any, digits: int) -> list[float | None]:
    """Numbers for JSON, with this many significant digits; those that are not finite are None."""
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in values]
