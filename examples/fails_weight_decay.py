"""With Adam, L2 regularization is not weight decay: the larger the gradients of a weight, the less it shrinks.

L2 regularization adds weight_decay * w to the gradient, and Adam divides the sum by the size of the gradients: the larger they
are, the weaker the decay. AdamW takes the decay out of the division and shrinks all weights alike (Loshchilov & Hutter 2019,
propositions 2 and 3). In a regression whose features have different units, gradients differ in size too, and AdamW's best test
error is smaller at every learning rate. If all features have one unit, both methods are on a par.

This does not show that the best L2 regularization depends on the learning rate, as the paper reports for deep networks. In this
problem, trained to convergence, it does not, and neither does AdamW's decay in the form used here and in PyTorch.
"""

from itertools import product
from typing import NamedTuple

import numpy as np
from lab.figures import caption, panels
from lab.program import Experiment, main
from tqdm import tqdm

import fastadam
from fastadam.viz.style import STYLES

METHODS = {"Adam with L2": fastadam.Adam, "AdamW": fastadam.AdamW}
STYLE = {"Adam with L2": STYLES["Adam"], "AdamW": STYLES["AdamW"]}
DECAYS = {"Adam with L2": (0, 0.01, 0.1, 1, 10, 100), "AdamW": (0, 0.01, 0.1, 1, 3, 10)}
FEATURES, EXAMPLES, NEW, BATCH = 40, 60, 1_000, 10
LR, DECAY, SHRINK_STEPS = 1e-3, 0.2, 5_000  # for the weights with random gradients
SIZES = np.geomspace(0.01, 100, 13)


class Result(NamedTuple):
    """The results."""

    left: dict  # by method: what remains of the weights, by the size of their gradients
    rates: tuple
    units: dict  # by method: the test error by learning rate and decay, features in different units
    standard: dict  # the same for features of the same size


def shrink(make, seed):
    """The mean of weights that start at 1, after steps whose gradients are pure noise of several sizes."""
    rng = np.random.default_rng(seed)
    weights = np.ones((len(SIZES), 200), np.float32)
    optimizer = make(weights, lr=LR, weight_decay=DECAY)
    for _ in range(SHRINK_STEPS):
        optimizer.step(rng.standard_normal(weights.shape, np.float32) * SIZES[:, None].astype(np.float32))
    return weights.mean(axis=1)


def regression(spread, rng):
    """Features of equal effect whose sizes differ by up to `spread` decades in both directions, and noisy targets."""
    standard = rng.standard_normal((EXAMPLES + NEW, FEATURES))
    effects = rng.standard_normal(FEATURES) / np.sqrt(FEATURES)
    targets = standard @ effects + rng.standard_normal(len(standard))
    units = 10 ** rng.uniform(-spread, spread, FEATURES)
    return (standard * units).astype(np.float32), targets.astype(np.float32)


def errors(method, rates, spread, steps, seed):
    """The test error, relative to that of predicting 0, by learning rate and decay: one parameter group each, all at once."""
    rng = np.random.default_rng(seed)
    x, y = regression(spread, rng)
    grid = list(product(rates, DECAYS[method]))
    weights = np.zeros((len(grid), FEATURES), np.float32)
    groups = [{"params": row, "weight_decay": decay} for row, (_, decay) in zip(weights, grid, strict=True)]
    optimizer = METHODS[method](groups)
    for step in range(steps):
        if step % 100 == 0:  # learning rates fall to zero
            for group, (lr, _) in zip(optimizer.param_groups, grid, strict=True):
                group["lr"] = lr * (1 - step / steps)
        batch = rng.choice(EXAMPLES, BATCH, replace=False)
        optimizer.step(list((weights @ x[batch].T - y[batch]) @ x[batch] / np.float32(BATCH)))
    error = np.mean((weights @ x[EXAMPLES:].T - y[EXAMPLES:]) ** 2, axis=1) / np.mean(y[EXAMPLES:] ** 2)
    return error.reshape(len(rates), -1)


def run(settings):
    steps, seeds, rates = (2_000, 4, (0.01, 0.1)) if settings.small else (4_000, 16, (0.001, 0.003, 0.01, 0.03, 0.1))
    result = Result({}, rates, {}, {})
    with tqdm(total=len(METHODS) * (1 + 2 * seeds), unit="training") as progress:
        for method, make in METHODS.items():
            result.left[method] = shrink(make, settings.seed)
            progress.update()
            for table, spread in ((result.units, 1.0), (result.standard, 0.0)):
                table[method] = 0.0
                for seed in range(settings.seed, settings.seed + seeds):
                    table[method] += errors(method, rates, spread, steps, seed) / seeds
                    progress.update()
    return result


def figure(result):
    drawing, (left, *maps) = panels(1, 3, (10, 3.5), widths=(1.1, 1, 1))
    for method, style in STYLE.items():
        left.semilogx(SIZES, result.left[method], color=style.color, marker=style.marker, label=method)
    left.set(title="Weights with random gradients", xlabel="size of the gradients", ylabel="what is left of 1")
    left.legend(frameon=False)
    left.minorticks_off()
    low, high = min(table.min() for table in result.units.values()), 1.2
    for axes, method in zip(maps, METHODS, strict=True):
        table = result.units[method]
        axes.imshow(table, origin="lower", aspect="auto", cmap="cividis", vmin=low, vmax=high)
        for i, j in np.ndindex(table.shape):
            best = j == table[i].argmin()
            color = "#fefefe" if table[i, j] < (low + high) / 2 else "#010101"  # on any page
            axes.text(j, i, f"{table[i, j]:.2f}", ha="center", va="center", color=color, weight="bold" if best else None)
        axes.set_xticks(range(table.shape[1]), [f"{decay:g}" for decay in DECAYS[method]])
        axes.set_yticks(range(len(result.rates)), [f"{lr:g}" for lr in result.rates])
        axes.set(title=f"{method}: test error", xlabel="weight_decay", ylabel="lr")
    caption(
        drawing,
        "test errors: of a synthetic regression on features in different units; bold: the best of each learning rate; 1 is the "
        "error of predicting 0",
    )
    return drawing


def summary(result):
    lines = ["what is left of the weights, for gradients of size " + ", ".join(f"{SIZES[i]:g}" for i in (0, 6, 12))]
    lines += [f"{method:<14}" + "".join(f"{left[i]:8.3f}" for i in (0, 6, 12)) for method, left in result.left.items()]
    for name, tables in (("different units", result.units), ("one unit", result.standard)):
        for method, table in tables.items():
            best = [DECAYS[method][j] for j in table.argmin(axis=1)]
            lines.append(f"{name:<17}{method:<14}smallest error {table.min():.3f}, best decay by learning rate: {best}")
    return "\n".join(lines)


def check(result):
    """L2 shrinks weights by gradient size, AdamW alike. AdamW's error is smaller on different units, and equal on one unit."""
    coupled, decoupled = result.left["Adam with L2"], result.left["AdamW"]
    assert coupled[0] < 0.1 < 0.9 < coupled[-1], f"L2 left {coupled}"
    assert np.ptp(decoupled) < 0.05, f"AdamW left {decoupled}"
    coupled, decoupled = (result.units[method].min(axis=1) for method in METHODS)
    assert np.all(decoupled < 0.97 * coupled), f"smallest errors by learning rate: L2 {coupled}, AdamW {decoupled}"
    level = result.standard["AdamW"].min() / result.standard["Adam with L2"].min()
    assert 0.95 < level < 1.05, f"on features of one size, AdamW's smallest error is {level:.3f} times that of L2"


if __name__ == "__main__":
    main(Experiment(run, figure, check, summary), __file__, __doc__)
