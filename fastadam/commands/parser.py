"""The command line: what it is called, its parser, and what is printed when it ends."""

import argparse
import difflib
import importlib
import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import fastadam
from fastadam.commands import arguments, help
from fastadam.commands.text import HelpFormatter, printable

INTERRUPTED = 130  # the exit status that shells give to a program that Ctrl-C has ended


def main(words: Sequence[str] | None = None) -> None:
    """Run a command of the command line."""
    top = parser(prog())
    options = top.parse_args(words)
    if options.command is None:
        top.print_help()
        return
    try:
        command = importlib.import_module(f"fastadam.commands.{options.command}")
        result = command.run(options)
        print(json.dumps(result) if options.json else printable(command.text(result), sys.stdout.encoding))
    except KeyboardInterrupt:
        print(file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None


def prog() -> str:
    """What the user has typed, to be typed again."""
    return "python -m fastadam" if os.path.basename(sys.argv[0]) == "__main__.py" else "fastadam"


class Parser(argparse.ArgumentParser):
    """A parser whose errors say which known word is like an unknown one."""

    def error(self, message: str) -> NoReturn:
        unknown = re.search(r"unrecognized arguments: (-\S+)|invalid choice: '(.+?)'", message)
        near = difflib.get_close_matches(unknown[1] or unknown[2], self._known(), 1) if unknown else []
        super().error(message + (f"; did you mean {near[0]!r}?" if near else ""))

    def _known(self) -> Iterable[str]:
        for action in self._actions:
            yield from action.option_strings
            for name, command in action.choices.items() if isinstance(action.choices, dict) else ():
                yield name
                yield from command._known()


def parser(prog: str) -> argparse.ArgumentParser:
    """The parser. It imports no command."""

    def layout(text: str) -> dict[str, Any]:
        return {"description": text, "formatter_class": HelpFormatter}

    top = Parser(prog, epilog=help.EPILOG.format(prog=prog), **layout(help.DESCRIPTION))
    top.add_argument("--version", action="version", version=f"fastadam {fastadam.__version__}")
    commands = top.add_subparsers(metavar="command", dest="command")

    def add(name: str, summary: str, description: str, examples: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=summary, epilog=examples.format(prog=prog), **layout(description))
        command.set_defaults(prog=command.prog)
        command.add_argument("--json", action="store_true", help="print one JSON object instead; progress goes to stderr")
        return command

    add("info", "version, instruction sets, threads, compiler, OpenMP", help.INFO, help.INFO_EXAMPLES)
    add("demo", "train a small network, bit for bit as the reference", help.DEMO, help.DEMO_EXAMPLES)
    _add_bench(add("bench", "measure AdamW, NumPy and the speed of the memory", help.BENCH, help.BENCH_EXAMPLES))
    _add_race(add("race", "watch Adam and its ancestors on the same surface", help.RACE, help.RACE_EXAMPLES))
    return top


def _add_bench(bench: argparse.ArgumentParser) -> None:
    bench.add_argument(
        "--threads", type=arguments.threads, nargs="+", metavar="N", help="numbers of threads (default: 1, and all)"
    )
    bench.add_argument(
        "--seconds", type=arguments.seconds, default=10.0, metavar="S", help="about how long to measure (default: 10)"
    )


def _add_race(race: argparse.ArgumentParser) -> None:
    race.add_argument(
        "--function", type=arguments.function, metavar="NAME", help="the surface (default: all; for a film or picture beale)"
    )
    race.add_argument(
        "--optimizer",
        type=arguments.optimizer,
        nargs="+",
        metavar="NAME",
        help="which take part (default: all; for a film or picture SGD, momentum, RMSProp and Adam)",
    )
    race.add_argument(
        "--lr",
        type=arguments.rate,
        nargs="+",
        metavar="[NAME=]LR",
        help="learning rates, for all or for those named (default: the best)",
    )
    race.add_argument(
        "--start", type=arguments.finite, nargs=2, metavar=("X", "Y"), help="where all start (default: the surface's)"
    )
    race.add_argument(
        "--steps", type=arguments.steps, metavar="N", help="number of steps (default: 120 to 200, by the surface)"
    )
    race.add_argument("--seed", type=arguments.seed, default=0, metavar="N", help="seed of the noise (default: 0)")
    race.add_argument(
        "--no-bias-correction", dest="bias_correction", action="store_false", help="leave it out of Adam's family"
    )
    race.add_argument(
        "--output",
        default="race.html",
        metavar="FILE",
        help="race.html (default), or a name in .gif, .mp4 (takes ffmpeg), .svg, .png",
    )
    race.add_argument("--open", action="store_true", help="show the file when it is written, a page in the browser")
