"""Fills the page of benchmarks with the figures and tables of bench/results/, drawn and written by the code in bench/."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import report
import rules_report
from matplotlib import rc_context
from results import Results, setting
from roofline import draw
from sphinx.application import Sphinx

RESULTS = Path(report.__file__).with_name("results")


def append_results(app: Sphinx, docname: str, source: list[str]) -> None:
    """Add to the page what each run in bench/results/ has measured."""
    if docname != "benchmarks":
        return
    folder = Path(app.outdir).parent / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(RESULTS.glob("*.json"), key=lambda path: path.stem):
        app.env.note_dependency(path)
        results = Results(**json.loads(path.read_text()))
        of_rules = path.stem.endswith("-rules")
        text = (rules_report if of_rules else report).report(results, with_targets=False)
        head, sections = re.sub(r"^#", "##", text, flags=re.MULTILINE).split("\n### ", 1)
        figures = () if of_rules else _figures(results, folder / path.stem, app)
        source[0] += "\n\n".join(["", head, *figures, f"### {sections}"])


def _figures(results: Results, stem: Path, app: Sphinx) -> Iterator[str]:
    """A figure for each number of threads: side by side they would be too small for a narrow screen."""
    for threads in results.unique("threads"):
        path = stem.with_name(f"{stem.name}-{threads}.svg")
        with rc_context({"savefig.transparent": True, "svg.hashsalt": path.name}):
            draw(replace(results, rows=[row for row in results.rows if row["threads"] == threads]), path)
        yield f"![Bandwidth over the number of elements, {setting(threads)}]({os.path.relpath(path, app.srcdir)})"


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", append_results)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
