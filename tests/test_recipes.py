"""The programs of examples/recipes/: each runs, checks itself, and prints what the page of recipes shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "examples" / "recipes").glob("*.py"))
PAGE = ROOT / "docs" / "recipes.md"
NEEDS = {"scikit_learn": "sklearn"}

pytestmark = pytest.mark.skipif(not RECIPES, reason="needs the source tree")


def shown_on_the_page():
    """What the page shows, by command: arguments -> output."""
    return dict(
        re.findall(r"^```console\n\$ python examples/recipes/(.+)\n((?:(?!```).+\n)*)```$", PAGE.read_text(), re.MULTILINE)
    )


def comparable(output):
    """All but the ratios of times."""
    return re.sub(r"[\d.]+( times as fast)", r"#\1", output)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipe(recipe):
    if recipe.stem in NEEDS:
        pytest.importorskip(NEEDS[recipe.stem])
    # Large teams of threads make small products slower, and what they wait for is other tests.
    environ = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    result = subprocess.run([sys.executable, "-W", "error", recipe], capture_output=True, text=True, env=environ, timeout=120)
    assert result.returncode == 0, result.stderr
    assert comparable(result.stdout) == comparable(shown_on_the_page()[recipe.name])


def test_page_has_every_recipe():
    page = PAGE.read_text()
    assert re.findall(r"^```\{literalinclude\} \.\./examples/recipes/(\w+)\.py$", page, re.MULTILINE)
    assert {*re.findall(r"\{literalinclude\} \.\./examples/recipes/(\w+)\.py", page)} == {recipe.stem for recipe in RECIPES}
    assert {command.split()[0] for command in shown_on_the_page()} == {recipe.name for recipe in RECIPES}
