"""The programs of docs/recipes.md, but that for JAX, which test_jax.py builds a module for."""

import re

import pytest
from recipe_programs import PAGE, RECIPES, check_recipe, shown_on_the_page

NEEDS = {"scikit_learn": "sklearn", "thinc_model": "thinc"}

pytestmark = pytest.mark.skipif(not RECIPES, reason="needs the source tree")


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "jax_in_place"])
def test_recipe(name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    check_recipe(name)


def test_page_has_every_recipe():
    assert {*re.findall(r"\{literalinclude\} \.\./examples/recipes/(\w+)\.py", PAGE.read_text())} == {*RECIPES}
    assert {command.split()[0].removesuffix(".py") for command in shown_on_the_page()} == {*RECIPES}
