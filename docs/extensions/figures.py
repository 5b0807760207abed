"""A figure NAME.svg is shown as NAME-narrow.svg on a narrow screen, where there is one: its panels stand below each other."""

import posixpath
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.writers.html5 import HTML5Translator

NARROW = "(max-width: 45em)"


def find_narrow(app: Sphinx, doctree: nodes.document) -> None:
    for image in doctree.findall(nodes.image):
        path = Path(image["uri"])
        narrow = path.with_stem(f"{path.stem}-narrow")
        if path.suffix == ".svg" and Path(app.srcdir, narrow).exists():
            app.env.note_dependency(narrow)
            image["narrow"] = app.env.images.add_file(app.env.docname, str(narrow))


def copy_narrow(app: Sphinx, env: BuildEnvironment) -> None:
    """The builder copies the images of documents, which do not name these."""
    if hasattr(app.builder, "images"):
        app.builder.images |= {path: name for path, (_, name) in env.images.items() if path.endswith("-narrow.svg")}


def expect_narrow(app: Sphinx, error: Exception | None) -> None:
    missing = [name for _, name in app.env.images.values() if not Path(app.outdir, app.builder.imagedir, name).exists()]
    if error is None and app.builder.format == "html" and missing:
        raise FileNotFoundError(f"the site lacks {missing}")


def visit_image(translator: HTML5Translator, node: nodes.image) -> None:
    if "narrow" in node:
        source = posixpath.join(translator.builder.imgpath, node["narrow"])
        translator.body.append(f'<picture><source media="{NARROW}" srcset="{source}">')
    HTML5Translator.visit_image(translator, node)


def depart_image(translator: HTML5Translator, node: nodes.image) -> None:
    HTML5Translator.depart_image(translator, node)
    if "narrow" in node:
        translator.body.append("</picture>")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", find_narrow)
    app.connect("env-check-consistency", copy_narrow)
    app.connect("build-finished", expect_narrow)
    app.add_node(nodes.image, override=True, html=(visit_image, depart_image))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
