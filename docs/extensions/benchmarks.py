"""Fills the page of benchmarks with the reports in bench/results/, and with their figures as drawings that scale."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import roofline
from matplotlib import rc_context
from results import Results, setting
from side_by_side import side_by_side
from sphinx.application import Sphinx

RESULTS = Path(roofline.__file__).with_name("results")


def append_reports(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put in the table of machines, and add each report, without its targets, which are the developers'.

    Those with a figure, which compare with the peers, come first.
    """
    if docname != "benchmarks":
        return
    before, mark, after = source[0].partition("<!-- side by side -->")
    assert mark, "docs/benchmarks.md has no place for the table of machines"
    source[0] = before + side_by_side(RESULTS) + after
    for path in sorted(RESULTS.glob("**/*.md"), key=lambda path: (not path.with_suffix(".png").exists(), path.stem)):
        app.env.note_dependency(path)
        head, *sections = path.read_text().partition("\n## Targets")[0].split("\n## ")
        parts = [head, *_figures(path, app), *(f"## {section}" for section in sections)]
        source[0] += "\n\n" + re.sub(r"^#", "##", "\n\n".join(parts), flags=re.MULTILINE)


def _figures(report: Path, app: Sphinx) -> Iterator[str]:
    """The report's figure, if it has one, drawn for each number of threads: side by side they would be too small."""
    if not report.with_suffix(".png").exists():
        return
    run = json.loads(report.with_suffix(".json").read_text())
    results = Results(run["machine"], run["rows"], run["missing"])
    folder = Path(app.outdir).parent / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    for threads in results.unique("threads"):
        path = folder / f"{report.stem}-{threads}.svg"
        with rc_context({"savefig.transparent": True, "svg.hashsalt": path.name}):
            roofline.draw(replace(results, rows=[row for row in results.rows if row["threads"] == threads]), path)
        yield f"![Bandwidth over the number of elements, {setting(threads)}]({os.path.relpath(path, app.srcdir)})"


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", append_reports)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
