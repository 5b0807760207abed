"""How each method is drawn: colours that colour-blind readers can tell apart, with different dashes and marks."""

from collections.abc import Iterable
from typing import NamedTuple


class Style(NamedTuple):
    """A colour, a dash and a mark, under the names that plotly and matplotlib have for them.

    The colours are those of Okabe & Ito (2008), with grey and brown in place of black and yellow.
    """

    color: str
    dash: str
    linestyle: str
    symbol: str
    marker: str

    @property
    def width(self) -> float:
        """Of a line, in points. Solid lines are wider, so that they show under dashed ones on top of them."""
        return 3.0 if self.dash == "solid" else 1.8


STYLES = {
    "SGD": Style("#6a6a6a", "solid", "-", "circle", "o"),
    "momentum": Style("#e69f00", "dash", "--", "square", "s"),
    "Nesterov": Style("#845400", "dot", ":", "diamond", "D"),
    "AdaGrad": Style("#009e73", "dashdot", "-.", "triangle-up", "^"),
    "RMSProp": Style("#cc79a7", "dash", "--", "triangle-down", "v"),
    "Adam": Style("#d55e00", "solid", "-", "star", "*"),
    "AMSGrad": Style("#0072b2", "dashdot", "-.", "x", "X"),
    "AdamW": Style("#56b4e9", "dot", ":", "cross", "P"),
}


def drawn_in_order(names: Iterable[str]) -> list[str]:
    """The order in which paths are drawn: Adam's last, on top of those of its descendants, which may cover it."""
    return sorted(names, key="Adam".__eq__)
