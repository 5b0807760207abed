"""The figures on the site are those of the full programs: so are the numbers beside them, and each has its versions."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
FIGURES = sorted(file.stem for file in (DOCS / "figures").glob("*.svg") if not file.stem.endswith("-phone"))
TEXTS = [name for name in FIGURES if (DOCS / "figures" / f"{name}.txt").exists()]

pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="needs the source tree")


def section(name):
    """What is said from the figure to the next heading, without formulas and programs."""
    (page,) = [text for text in (file.read_text() for file in DOCS.glob("*.md")) if f"(figures/{name}.svg)" in text]
    words = re.split(r"^(?:#|!\[)", page.split(f"(figures/{name}.svg)")[1], maxsplit=1, flags=re.MULTILINE)[0]
    return re.sub(r"```.*?```|`.*?`|\$.*?\$", "", words, flags=re.DOTALL)


@pytest.mark.parametrize("name", TEXTS)
def test_numbers_are_those_of_the_program(name):
    """Or settings in its source. A number in the text may have fewer digits than that in the output."""
    printed = (DOCS / "figures" / f"{name}.txt").read_text()
    found = [float(number) for number in re.findall(r"\d+\.?\d*(?:e[+-]?\d+)?", printed)]
    settings = (DOCS.parent / "examples" / f"{name}.py").read_text()
    for number in re.findall(r"(?<![\w.])\d+\.\d+(?![\w.]*\d)", section(name)):
        digits = len(number.partition(".")[2])
        assert number in settings or any(round(value, digits) == float(number) for value in found), number


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_of_the_full_programs_and_have_a_dark_version(name, monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "extensions"))
    from figures import DARK, dark

    svg = (DOCS / "figures" / f"{name}.svg").read_text()
    after = dark(svg)
    assert "#000000" in svg
    assert "#000000" not in after
    colors = {color for color in re.findall(r"#[0-9a-f]{6}\b", svg) if color not in DARK}
    assert colors <= set(re.findall(r"#[0-9a-f]{6}\b", after))  # methods have the same colours
