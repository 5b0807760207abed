"""The program that writes Adam three times, the page about it, and a figure for each of Adam's ingredients."""

import re
import subprocess
import sys

import numpy as np
import pytest
from gallery_programs import EXAMPLES, gallery_module

PAGE = EXAMPLES.parent / "docs" / "adam-from-scratch.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="needs the source tree")


def exchanged(results):
    """Results of two runs under each other's names."""
    return dict(zip(results, reversed(results.values()), strict=True))


# By program: what makes of its results those that would refute it.
REFUTED = {
    "why_momentum": exchanged,
    "why_second_moment": exchanged,
    "why_bias_correction": exchanged,
    "why_epsilon": lambda sizes: sizes | {0.0: np.zeros(2)},
}


def test_the_program_prints_what_the_page_says():
    """It asserts that seven digits are equal, and what the slips cost."""
    program = EXAMPLES / "adam_from_scratch.py"
    printed = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=True).stdout
    assert f"```console\n$ python examples/{program.name}\n{printed}```\n" in PAGE.read_text()


@pytest.mark.parametrize("name", REFUTED)
def test_each_ingredient_shows_what_it_says(name, tmp_path):
    lab, experiment = gallery_module("lab.program"), gallery_module(name).EXPERIMENT
    result = experiment.run(lab.Settings())
    experiment.check(result)
    with pytest.raises(AssertionError):
        experiment.check(REFUTED[name](result))
    lab.save(experiment.figure(result), tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").stat().st_size < 50_000
    assert re.search(r"\d", experiment.summary(result))


def test_the_page_shows_each_ingredient():
    programs = {path.stem for path in EXAMPLES.glob("why_*.py")}
    assert {*REFUTED} == programs == {*re.findall(r"\(figures/(\w+)\.svg", PAGE.read_text())}
    assert {*re.findall(r"`python examples/(why_\w+)\.py`", PAGE.read_text())} == programs
