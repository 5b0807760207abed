"""The figures of the pages are of the full programs, for light and dark pages, wide and narrow; the text has their numbers."""

import itertools
import re

import pytest
from gallery_programs import EXAMPLES, gallery_module

ROOT = EXAMPLES.parent
FIGURES = ROOT / "docs" / "figures"
PAGES = [ROOT / "docs" / f"{name}.md" for name in ("paper-experiments", "when-adam-fails", "adam-from-scratch")]
pytestmark = pytest.mark.skipif(not FIGURES.is_dir(), reason="needs the source tree")
NUMBER = re.compile(r"(?<![\w.])\d+\.\d+(?:e[+-]?\d+)?")


def sections():
    """For each figure, the part of its page that it is in."""
    for page in PAGES if FIGURES.is_dir() else ():
        for section in re.split(r"^## ", page.read_text(), flags=re.MULTILINE):
            for name in re.findall(r"\]\(figures/(\w+)\.svg\)", section):
                yield pytest.param(name, section, id=name)


def is_rounded(text, number):
    """Whether `text` is `number`, or per cent of it, with as many digits as `text` has."""
    digits = len(text.partition("e")[0].partition(".")[2])
    exponent = int(text.partition("e")[2] or 0)
    values = (number, 100 * number, number / 100)
    return any(abs(float(text) - value) <= 0.5001 * 10.0 ** (exponent - digits) for value in values)


@pytest.mark.parametrize(("name", "section"), [*sections()])
def test_the_text_has_the_numbers_of_the_program(name, section):
    """Or those that its program is written with."""
    program = EXAMPLES / f"{name}.py"
    known = (FIGURES / f"{name}.txt").read_text() + program.read_text()
    if name == "claims":
        known += "".join(path.read_text() for path in (EXAMPLES / "lab").glob("claim*.py"))
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?", known.replace(",", ""))]
    prose = re.sub(r"```.*?```|`[^`]*`|\$[^$]*\$|\(http[^)]*\)", "", section, flags=re.DOTALL)
    for found in NUMBER.findall(prose):
        assert any(is_rounded(found, number) for number in numbers), f"{found}: not in what {name} prints or is written with"


@pytest.mark.parametrize(("name", "section"), [*sections()])
def test_a_figure_is_of_the_full_program_and_for_any_page(name, section):
    panels = {path.stem: path.read_text() for path in FIGURES.glob(f"{name}*.svg")}
    side_by_side = float(re.search(r'width="([\d.]+)pt"', panels[name])[1]) > 600
    assert set(panels) == ({name, f"{name}-narrow"} if side_by_side else {name})
    for text in panels.values():
        assert "@media (prefers-color-scheme:dark)" in text
        assert len(text) < 200_000
    if side_by_side:
        assert float(re.search(r'width="([\d.]+)pt"', panels[f"{name}-narrow"])[1]) == 360


def test_no_figure_is_left_over():
    shown = {param.id for param in sections()}
    assert {path.stem.removesuffix("-narrow") for path in FIGURES.glob("*.svg")} == shown
    assert {path.stem for path in FIGURES.glob("*.txt")} == shown


def test_panels_stand_side_by_side_or_below_each_other():
    figures = gallery_module("lab.figures")
    wide, axes = figures.panels(1, 3, (10, 3.5))
    assert len(axes) == 3
    with figures.for_narrow_screens():
        narrow, axes = figures.panels(1, 3, (10, 3.5))
        figures.caption(narrow, "word " * 40)
    assert (*wide.get_size_inches(), *narrow.get_size_inches()) == (10, 3.5, 5, 10.5)
    wide.draw_without_rendering()
    narrow.draw_without_rendering()
    boxes = [each.get_tightbbox() for each in axes]
    assert all(upper.y0 >= lower.y1 for upper, lower in itertools.pairwise(boxes))
    caption = narrow.texts[0].get_tightbbox() if narrow.texts else narrow._supxlabel.get_tightbbox()
    assert caption.y1 <= boxes[-1].y0, "the caption overlaps a panel"
    assert caption.width <= narrow.bbox.width
