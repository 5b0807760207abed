"""``python -m fastadam race``: several optimizers minimize the same function, shown as a page, a film or a picture."""

import argparse
import math
import webbrowser
from pathlib import Path
from typing import Any

from fastadam.commands.text import Progress, table
from fastadam.viz import METHODS, SURFACES, Race, race, save
from fastadam.viz.methods import FIRST
from fastadam.viz.result import check_output

WRITING = 4  # how long it takes, in surfaces
PICTURED = "beale"  # the surface of a film or picture if none is named


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the file, and return where each optimizer ended."""
    file = Path(arguments.output)
    page = file.suffix.lower() == ".html"
    functions = [arguments.function] if arguments.function else list(SURFACES) if page else [PICTURED]
    if arguments.start and not arguments.function:
        raise SystemExit(f"{arguments.prog}: error: --start needs one surface; name it with --function")
    optimizers = arguments.optimizer or list(METHODS if page else FIRST)
    options = {
        "optimizers": optimizers,
        "lr": _rates(arguments, optimizers),
        "start": arguments.start,
        "steps": arguments.steps,
        "seed": arguments.seed,
        "bias_correction": arguments.bias_correction,
    }
    races = []
    try:
        check_output(file, len(functions))
        with Progress(len(functions) + WRITING) as bar:
            for i, function in enumerate(functions):
                bar.log(f"{SURFACES[function].title}: {SURFACES[function].shows}")
                bar.show(i, "choosing learning rates")
                races.append(race(function, **options))
            bar.show(len(functions), "writing")
            save(races, file)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise SystemExit(f"{arguments.prog}: error: {error}") from error
    if arguments.open:
        webbrowser.open(file.resolve().as_uri())
    return {
        "output": str(file),
        "address": file.resolve().as_uri(),
        "bias_correction": arguments.bias_correction,
        "seed": arguments.seed,
        "races": [*map(_facts, races)],
    }


def _rates(arguments: argparse.Namespace, optimizers: list[str]) -> dict[str, float]:
    """A learning rate without a name is for all optimizers that are not named."""
    given: list[tuple[str | None, float]] = arguments.lr or []
    named = {name: lr for name, lr in given if name is not None}
    of_all = [lr for name, lr in given if name is None]
    if len(of_all) > 1:
        raise SystemExit(f"{arguments.prog}: error: --lr has {of_all}; expected one for all, and others as NAME=LR")
    return {name: lr for lr in of_all for name in optimizers} | named


def _facts(of: Race) -> dict[str, Any]:
    """Where each optimizer ended; None if it diverged."""

    def known(value: Any) -> float | None:
        return float(value) if math.isfinite(value) else None

    return {
        "function": of.surface.name,
        "start": of.surface.start,
        "steps": of.steps,
        "optimizers": [
            {"name": name, "lr": path.lr, "end": [*map(known, path.positions[-1])], "loss": known(path.values[-1])}
            for name, path in of.trajectories.items()
        ],
    }


def text(result: dict[str, Any]) -> str:
    """The final losses; for one surface also the learning rates and positions."""
    races = result["races"]
    names = [optimizer["name"] for optimizer in races[0]["optimizers"]]
    if len(races) == 1:
        head = ["", "learning rate", "x", "y", "loss"]
        body = [[o["name"], f"{o['lr']:g}", *map(_number, (*o["end"], o["loss"]))] for o in races[0]["optimizers"]]
        caption = f"{races[0]['function']} after {races[0]['steps']} steps from {tuple(races[0]['start'])}:"
    else:
        head = ["", *names]
        body = [[of["function"], *(_number(optimizer["loss"]) for optimizer in of["optimizers"])] for of in races]
        caption = "final losses:"
    return "\n".join([caption, table(head, body), "", f"written: {result['address']}"])


def _number(value: float | None) -> str:
    return "diverged" if value is None else f"{value:.3g}"
