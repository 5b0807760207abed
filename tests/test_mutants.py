"""The mutants of tools/mutants/ can be made: their text is where they say, once, and their tests are there."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LISTS = sorted((ROOT / "tools/mutants").glob("*.toml"))
pytestmark = pytest.mark.skipif(not LISTS, reason="needs the source tree")


def test_each_mutant_can_be_made():
    mutants = [mutant for each in LISTS for mutant in tomllib.loads(each.read_text())["mutant"]]
    for mutant in mutants:
        assert (ROOT / mutant["file"]).read_text().count(mutant["old"]) == 1, mutant["name"]
        assert mutant["new"] != mutant["old"], mutant["name"]
        assert all((ROOT / test).exists() for test in mutant["tests"] if test.startswith("tests/")), mutant["name"]
    assert len({mutant["name"] for mutant in mutants}) == len(mutants)
