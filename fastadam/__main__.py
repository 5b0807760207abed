"""``python -m fastadam info``: version, instruction sets, threads, compiler and OpenMP runtime."""

import argparse
from collections.abc import Sequence

import fastadam


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command of the command line."""
    parser = argparse.ArgumentParser("python -m fastadam", description="The Adam family of optimizers as one fused kernel.")
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser("info", help="version, instruction sets, threads, compiler and OpenMP runtime")
    command.set_defaults(run=info)
    parser.parse_args(arguments).run()


def info() -> None:
    """Print what this build is and what it uses on this machine."""
    build = fastadam.build_info()
    active, available = fastadam.active_isa(), fastadam.available_isas()
    isas = [
        f"{isa} ({'active' if isa == active else 'available' if isa in available else 'not on this CPU'})"
        for isa in build["isas"]
    ]
    rows = {
        "fastadam": build["version"],
        "rules": ", ".join(build["rules"]),
        "isas": ", ".join(isas),
        "threads": str(fastadam.get_num_threads()),
        "compiler": build["compiler"],
        "openmp": build["openmp"],
    }
    for name, value in rows.items():
        print(f"{name:<10}{value}")


if __name__ == "__main__":
    main()
