"""``python -m fastadam demo``: a small network learns two spirals, once with fastadam and once with its reference."""

import argparse
import math
import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

import fastadam
from fastadam import reference
from fastadam.commands.network import Array, Network, spirals
from fastadam.commands.text import duration, progress, three_digits

POINTS, TEST_POINTS, HIDDEN = 1000, 1000, 128
STEPS, REPORTS, LEARNING_RATE = 2000, 8, 1e-2
SEED = 0
COLUMNS, ROWS, EDGE = 56, 22, 1.1  # of the picture: its size in characters, and the distance from its center to its edge


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train two identical networks, a step of each in turn."""
    rng = np.random.default_rng(SEED)
    (points, labels), (test_points, test_labels) = spirals(POINTS, rng), spirals(TEST_POINTS, rng)
    networks = [Network(HIDDEN, np.random.default_rng(SEED)) for _ in range(2)]
    ours, other = networks
    steps: list[Callable[[Any], object]] = [fastadam.Adam(ours.params, lr=LEARNING_RATE).step, reference_step(other.params)]
    seconds: list[list[float]] = [[], []]
    progress(f"{ours.params.size:,} parameters learn to tell {POINTS:,} points of two spirals apart:")
    loss = math.nan
    for t in range(1, STEPS + 1):
        for network, step, taken in zip(networks, steps, seconds, strict=True):
            loss = network.loss(points, labels)
            start = perf_counter()
            step(network.grads)
            taken.append(perf_counter() - start)
        if t % (STEPS // REPORTS) == 0:
            progress(f"  step {t:5}  loss {loss:.4f}  accuracy {ours.accuracy(points, labels):.1%}")
    progress(picture(ours))
    if ours.params.tobytes() != other.params.tobytes():
        raise SystemExit("fastadam.Adam and fastadam.reference ended with different parameters; please report it")
    kernel, specification = map(statistics.median, seconds)
    return {
        "accuracy": ours.accuracy(test_points, test_labels),
        "test_points": TEST_POINTS,
        "loss": loss,
        "steps": STEPS,
        "parameters": ours.params.size,
        "equal_parameters": True,
        "seconds_per_step": kernel,
        "seconds_per_step_of_reference": specification,
    }


def text(result: dict[str, Any]) -> str:
    kernel, specification = result["seconds_per_step"], result["seconds_per_step_of_reference"]
    return "\n".join(
        [
            f"accuracy    {result['accuracy']:.1%} of {result['test_points']:,} unseen points",
            f"a step      {duration(kernel)}; {duration(specification)} with fastadam.reference, which is NumPy: "
            f"{three_digits(specification / kernel)} times as long",
            f"parameters  {result['parameters']:,}, bit for bit the same with both after {result['steps']:,} steps",
        ]
    )


def reference_step(params: Array) -> Callable[[Array], None]:
    """Like an optimizer's `step`, but with the reference."""
    moments = np.zeros_like(params), np.zeros_like(params)
    steps_taken = 0

    def step(grads: Array) -> None:
        nonlocal steps_taken
        steps_taken += 1
        reference.adam_step(params, grads, *moments, step=steps_taken, lr=LEARNING_RATE)

    return step


def picture(network: Network) -> str:
    """The unit circle as characters: which spiral the network assigns each point to."""
    x, y = np.meshgrid(np.linspace(-EDGE, EDGE, COLUMNS), np.linspace(EDGE, -EDGE, ROWS))
    second = network.logits(np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)).reshape(x.shape) > 0
    marks = np.where(np.hypot(x, y) > EDGE, " ", np.where(second, "#", "."))
    return "\n".join("".join(row).rstrip() for row in marks)
