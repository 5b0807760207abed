"""Shared by the benchmarks' command lines: options, and the files that a run writes."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from machine import slug
from results import Results
from roofline import draw

RESULTS = Path(__file__).parent / "results"


def add_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--short", action="store_true", help="a few small cases: checks the answers rather than the speed")
    parser.add_argument("--sizes", type=_elements, nargs="+", metavar="N", help="only buffers of N elements (1e6 will do)")
    parser.add_argument(
        "--budget", type=float, default=5, metavar="S", help="seconds of sampling for a small case (default: 5)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where to write (default: bench/results, or nowhere if short)"
    )
    return parser


def write(results: Results, text: str, folder: Path, part: str | None = None) -> None:
    """Write the results and tables, and the figure unless the run is only a `part` of what is measured on this machine."""
    path = folder / "-".join([slug(results.machine), *([part] if part else [])])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(asdict(results), indent=1) + "\n")
    path.with_suffix(".md").write_text(text)
    if part is None:
        draw(results, path.with_suffix(".png"))


def _elements(text: str) -> int:
    return int(float(text))
