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
    for path in sorted(RESULTS.glob("*.md"), key=lambda path: path.stem):
        app.env.note_dependency(path)
        parts = _report(path.with_suffix(".json"), app) if path.with_suffix(".json").exists() else [path.read_text()]
        source[0] += "\n\n" + re.sub(r"^#", "##", "\n\n".join(parts), flags=re.MULTILINE)


def _report(path: Path, app: Sphinx) -> list[str]:
    """What a run has measured, without its targets, which are the developers'."""
    results = Results(**json.loads(path.read_text()))
    if path.stem.endswith("-rules"):
        return [rules_report.report(results, with_targets=False)]
    head, sections = report.report(results, with_targets=False).split("\n## ", 1)
    return [head, *_figures(results, path.stem, app), f"## {sections}"]


def _figures(results: Results, name: str, app: Sphinx) -> Iterator[str]:
    """A figure for each number of threads: side by side they would be too small for a narrow screen."""
    folder = Path(app.outdir).parent / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    for threads in results.unique("threads"):
        path = folder / f"{name}-{threads}.svg"
        with rc_context({"savefig.transparent": True, "svg.hashsalt": path.name}):
            draw(replace(results, rows=[row for row in results.rows if row["threads"] == threads]), path)
        yield f"![Bandwidth over the number of elements, {setting(threads)}]({os.path.relpath(path, app.srcdir)})"


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", append_results)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
