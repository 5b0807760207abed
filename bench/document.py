"""Writes the results of a run into a document, between the markers ``<!-- NAME -->`` and ``<!-- /NAME -->``."""

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path

from results import Results


def update(
    document: Path, name: str, kind: type[Results], block: Callable[[Results, Path], str], command: str, description: str
) -> None:
    """The command line `command` RESULTS.json: write block(results, path of the results) between the markers, or check it."""
    parser = argparse.ArgumentParser(command, description=description)
    parser.add_argument("results", type=Path)
    parser.add_argument("--check", action="store_true", help=f"write nothing; fail if {document.name} says something else")
    arguments = parser.parse_args()
    results = kind(**json.loads(arguments.results.read_text()))
    text = document.read_text()
    between = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)
    if not between.search(text):
        raise SystemExit(f"{document} has no lines <!-- {name} --> and <!-- /{name} -->, between which the table belongs")
    updated = between.sub(lambda _: f"\n{block(results, arguments.results)}\n\n", text)
    if not arguments.check:
        document.write_text(updated)
    elif updated != text:
        raise SystemExit(f"the table in {document.name} is not that of {arguments.results}; run {command}")
