"""How methods are drawn: distinguishable with every kind of colour vision, and without colours by dashes and marks."""

import itertools

import numpy as np
import pytest

from fastadam.viz import METHODS
from fastadam.viz.style import STYLES, drawn_in_order

# What linear RGB looks like without one kind of cone: Machado, Oliveira & Fernandes, "A Physiologically-based Model for
# Simulation of Color Vision Deficiency", 2009, severity 1.
SIGHT = {
    "all cones": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])  # sRGB, IEC 61966-2-1


def linear(color):
    encoded = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIELAB of linear RGB, in which distances are about as large as they seem."""
    ratio = TO_XYZ @ rgb.clip(0, 1) / (TO_XYZ @ np.ones(3))
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one, other):
    """As WCAG 2 has it, from 1 to 21."""
    darker, lighter = sorted(TO_XYZ[1] @ linear(color) for color in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("sight", SIGHT)
def test_colors_are_apart(sight):
    seen = {name: lab(np.array(SIGHT[sight]) @ linear(style.color)) for name, style in STYLES.items()}
    distances = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in itertools.combinations(STYLES, 2)}
    assert min(distances.values()) > 12, min(distances, key=distances.get)


def test_dashes_and_marks_tell_methods_apart_without_colors():
    assert len({style.symbol for style in STYLES.values()}) == len({style.marker for style in STYLES.values()}) == len(STYLES)
    assert list(STYLES) == list(METHODS)


def test_adam_is_on_top():
    assert drawn_in_order(METHODS) == [*(name for name in METHODS if name != "Adam"), "Adam"]


@pytest.mark.parametrize("name", STYLES)
def test_colors_show_on_light_and_dark_pages(name):
    for paper in ("#ffffff", "#14181d"):
        assert contrast(STYLES[name].color, paper) > 2
