"""Races as one HTML file, by plotly.js, which is in it: nothing is loaded from anywhere.

The page is put together from the files in web/. In it are the ways of all methods, at several learning rates each and with and
without bias correction, rounded to what can be read or drawn, and packed (JSON, zlib, base64).
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

from fastadam.viz.contours import LEVELS, relief
from fastadam.viz.extra import needed
from fastadam.viz.methods import METHODS
from fastadam.viz.result import Race
from fastadam.viz.style import STYLES
from fastadam.viz.surface import Point
from fastadam.viz.trajectory import QUANTITIES, Trajectory

PIXELS = 1000  # about as many as the drawn surface has
FACTORS = (0.3, 1.0, 3.0)  # of the learning rates: what may be chosen on the page


def write(races: Sequence[Race], path: Path) -> None:
    """Write the page."""
    path.write_text(page(races), encoding="utf-8")


def page(races: Sequence[Race]) -> str:
    """The page as text. All races on it have the same methods."""
    if len(methods := {tuple(race.rates) for race in races}) != 1:
        raise ValueError(f"races have the optimizers {sorted(methods)}; expected at least one race, and the same in each")
    plotly = needed("plotly.offline").get_plotlyjs()
    packed = base64.b64encode(zlib.compress(json.dumps(contents(races), allow_nan=False).encode(), 9)).decode()
    web = files("fastadam.viz") / "web"
    text = (web / "page.html").read_text(encoding="utf-8")
    parts = {name: (web / name).read_text(encoding="utf-8") for name in ("page.css", "charts.js", "page.js")}
    title = races[0].surface.title if len(races) == 1 else f"{len(races)} surfaces"
    for name, part in {**parts, "title": html.escape(title), "packed": packed, "plotly.js": plotly}.items():
        text = text.replace(f"{{{{ {name} }}}}", part)
    return text


def contents(races: Sequence[Race]) -> dict[str, Any]:
    """What is on the page, as JSON has it."""
    return {
        "races": [_race(race) for race in races],
        "methods": {
            name: {
                "color": STYLES[name].color,
                "dash": STYLES[name].dash,
                "symbol": STYLES[name].symbol,
                "width": STYLES[name].width,
                "formulas": [METHODS[name].formulas(corrected) for corrected in (False, True)],
            }
            for name in races[0].rates
        },
        "quantities": QUANTITIES,
        "factors": FACTORS,
        "levels": LEVELS,
        "biasCorrection": races[0].bias_correction,
    }


def _race(race: Race) -> dict[str, Any]:
    surface, ground = race.surface, relief(race.surface)
    return {
        "name": surface.name,
        "title": surface.title,
        "shows": surface.shows,
        "source": surface.source,
        "region": surface.region,
        "start": surface.start,
        "minima": surface.minima,
        "steps": race.steps,
        "ground": {
            **{"x0": ground.x[0], "dx": ground.x[1] - ground.x[0], "y0": ground.y[0], "dy": ground.y[1] - ground.y[0]},
            "z": [_rounded(row, 3) for row in ground.shown],
        },
        "ways": {name: [_ways(race, name, factor) for factor in FACTORS] for name in race.rates},
    }


def _ways(race: Race, method: str, factor: float) -> dict[str, Any]:
    """Without and with bias correction; one way for a method that has none."""
    choices = (False, True) if METHODS[method].corrects_bias else (True,)
    ways = [_way(race.trajectory(method, factor, corrected), race.surface.region) for corrected in choices]
    return {"lr": float(f"{race.rates[method] * factor:.3g}"), "way": ways}


def _way(way: Trajectory, region: tuple[Point, Point]) -> dict[str, Any]:
    """A quantity that equals an earlier one is replaced by the name of that."""
    inside: dict[str, Any] = {}
    for name, values in way.inside.items():
        same = (other for other in inside if np.array_equal(way.inside[other], values, equal_nan=True))
        inside[name] = next(same, None) or [_rounded(axis, 3) for axis in values.T]
    x, y = map(_placed, way.positions.T, region)
    return {"x": x, "y": y, "height": _rounded(way.values, 3), "inside": inside}


def _placed(values: Any, edges: Point) -> list[float | None]:
    """As JSON, to a pixel of what is drawn, or less."""
    decimals = math.ceil(math.log10(PIXELS / (edges[1] - edges[0])))
    return _rounded(np.round(values.astype(np.float64), decimals), 9)


def _rounded(values: Any, digits: int) -> list[float | None]:
    """As JSON, with so many significant digits. What is not finite is None."""
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in values]
