"""``python -m fastadam info``: this build, and what it uses on this machine."""

import argparse
from typing import Any

import fastadam
from fastadam import _native


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The facts; `openmp` is None if there is none."""
    build = fastadam.build_info()
    return build | {
        "openmp": None if build["openmp"] == "none" else build["openmp"],
        "available_isas": fastadam.available_isas(),
        "active_isa": fastadam.active_isa(),
        "threads": fastadam.get_num_threads(),
        "prefetch": _native.prefetch_distance(),
        "include": fastadam.get_include(),
    }


def text(facts: dict[str, Any]) -> str:
    """A line for each fact."""
    active, available = facts["active_isa"], facts["available_isas"]
    isas = [
        f"{isa} ({'active' if isa == active else 'available' if isa in available else 'not on this CPU'})"
        for isa in facts["isas"]
    ]
    rows = {
        "fastadam": facts["version"],
        "rules": ", ".join(facts["rules"]),
        "isas": ", ".join(isas),
        "threads": facts["threads"],
        "prefetch": f"{facts['prefetch']} elements ahead" if facts["prefetch"] else "none",
        "compiler": facts["compiler"],
        "openmp": facts["openmp"] or "none",
        "include": facts["include"],
    }
    return "\n".join(f"{name:<10}{value}" for name, value in rows.items())
