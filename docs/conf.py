"""How Sphinx makes the site (``make docs``) from the pages beside this file, the docstrings and the results in bench/."""

import sys
from importlib.metadata import version as version_of
from importlib.resources import files
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent / "bench")]

project = "fastadam"
version = release = version_of(project)
project_copyright = "2026, the fastadam developers"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinxcontrib.programoutput",
    "benchmarks",
    "figures",
    "links",
    "mathml",
]
exclude_patterns = ["extensions"]
default_role = "literal"  # in docstrings, `name` is code

autodoc_typehints = "none"  # the docstrings say it in words
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # each class shows what is its own; the optimizers' page what they share

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

html_math_renderer = "mathml"
html_theme = "furo"
pygments_dark_style = "a11y-dark"  # the theme's own underlines imports, as if they were links
html_title = f"fastadam {release}"
html_static_path = ["static", str(files("ziamath.fonts") / "STIXTwoMath-Regular.ttf")]
templates_path = ["templates"]
html_css_files = ["site.css"]
html_search_scorer = str(HERE / "search_scorer.js")
html_extra_path = ["../build/gallery/pages"]
html_copy_source = html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}
