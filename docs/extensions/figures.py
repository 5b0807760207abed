"""Figures for every reader: for light and dark pages, wide ones and phones.

`make gallery` draws those in docs/figures/, which are committed; small versions of others are in build/gallery/.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # its tests need no Sphinx
    from sphinx.application import Sphinx

# What is black, white, grey or too dark for a dark page, there. Programs use #010101 and #fefefe for what is the same on both.
DARK = {
    **{"#000000": "#e8ebef", "#ffffff": "#131416", "#333333": "#c3cad2", "#555555": "#a3adb8"},
    **{"#b0b0b0": "#5d6671", "#cccccc": "#3a434e", "#8a3d00": "#f2a36b"},
}
INK = DARK["#000000"]
FIGURE = re.compile(r"^!\[([^]]*)\]\((figures|\.\./build/gallery)/(\w+)\.svg\)$", re.MULTILINE)


def dark(svg: str) -> str:
    """The same drawing for a dark page: black, white and greys are others, methods' colours stay."""
    svg = re.sub(r"#[0-9a-f]{6}\b", lambda match: DARK.get(match[0], match[0]), svg)
    return svg.replace("<svg ", f'<svg fill="{INK}" ', 1)  # what has no colour is black otherwise, such as letters


def draw_dark(app: Sphinx) -> None:
    target = Path(app.srcdir) / "figures" / "dark"
    target.mkdir(exist_ok=True)
    for folder in ("../build/gallery", "figures"):
        for file in (Path(app.srcdir) / folder).glob("*.svg"):
            (target / file.name).write_text(dark(file.read_text()))


def offer_all(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put all versions of a figure where the page has one; site.css shows one of them."""

    def versions(match: re.Match[str]) -> str:
        words, drawn, name = match.groups()
        has_phone = (Path(app.srcdir) / drawn / f"{name}-phone.svg").exists()
        return "\n\n".join(
            f"```{{image}} {folder}/{name}{end}.svg\n:alt: {words}\n:class: {theme} {width if has_phone else ''}\n"
            f":loading: lazy\n```"
            for theme, folder in (("only-light", drawn), ("only-dark", "figures/dark"))
            for width, end in (("wide", ""), ("phone", "-phone"))
            if has_phone or width == "wide"
        )

    source[0] = FIGURE.sub(versions, source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", draw_dark)
    app.connect("source-read", offer_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
