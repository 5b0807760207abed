"""Links to what is no page: files of bench/results/ are on the page of benchmarks, all else is in the repository alone."""

import re
from typing import Any

from sphinx.application import Sphinx


def redirect(app: Sphinx, docname: str, source: list[str]) -> None:
    """Mend links that lead out of docs/, which are good where the repository is read."""
    text = re.sub(r"\]\(\.\./bench/results/[^)]*\)", "](benchmarks.md)", source[0])
    source[0] = re.sub(r"(?<!!)\[([^]]*)\]\(\.\./[^)]*\)", r"\1", text)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", redirect)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
