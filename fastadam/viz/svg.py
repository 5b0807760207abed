"""Figures of matplotlib as SVG files for any page."""

import re
from pathlib import Path
from typing import Any

from fastadam.viz.extra import needed

GREY = "#555555"  # of captions and notes
# Colours on a dark page, for those that are hard to see there. Hues stay, so a method has one colour everywhere.
DARK = {"#000000": "#d8d8d8", "#333333": "#c8c8c8", GREY: "#a8a8a8", "#b0b0b0": "#808080", "#6a6a6a": "#9c9c9c"}
DARK |= {"#845400": "#c58d35", "#0072b2": "#4aa3df", "#8a3d00": "#f2a06b"}
# A page sets color-scheme for its images; elsewhere it is the reader's preference. Most text has no colour of its own.
_RULES = "".join(f'[style*="{kind}: {a}"]{{{kind}:{b}!important}}' for a, b in DARK.items() for kind in ("fill", "stroke"))
_LEGEND = '[style*="fill: #ffffff"][style*="opacity"]{fill:#131416!important}'
STYLE = f"<style>@media (prefers-color-scheme:dark){{svg{{fill:{DARK['#000000']}}}{_RULES}{_LEGEND}}}</style>"


def save_svg(figure: Any, path: Path, **options: Any) -> None:
    """Save a figure without a background, for light and dark pages. It always has the same bytes."""
    with needed("matplotlib").rc_context({"svg.hashsalt": path.name, "svg.fonttype": "path"}):
        figure.savefig(path, transparent=True, metadata={"Date": None}, **options)
    text = re.sub(r"^ +|<!--.*?-->", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)  # saves a sixth
    path.write_text(re.sub(r"<svg [^>]*>", lambda found: found[0] + STYLE, text, count=1), encoding="utf-8")
