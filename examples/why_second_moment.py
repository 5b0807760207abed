"""Why Adam divides by the root of averaged squares: gradients of different sizes need steps of different sizes.

A line, w x + b, is fitted to points whose x is in another unit than y: x is between -100 and 100, so the gradient of w is about
a hundred times that of b. Momentum has one learning rate for both. It must be small enough for w, and is then too small for b.
"""

import numpy as np
from lab.figures import draw
from lab.program import Experiment, main
from matplotlib.figure import Figure

import fastadam

STEPS = 300
X = np.linspace(-100, 100, 101)
Y = 0.5 * X + 3
RATES = np.array([1, 3])[None, :] * 10.0 ** np.arange(-7, 1)[:, None]


def train(make, lr):
    """The loss before each step; infinity where it has diverged."""
    params = np.zeros(2, np.float32)
    optimizer = make(params, lr=lr)
    losses = np.full(STEPS, np.inf)
    for step in range(STEPS):
        error = params[0] * X + params[1] - Y
        losses[step] = np.mean(error**2) / 2
        if losses[step] > 1e6:
            return np.full(STEPS, np.inf)
        optimizer.step(np.array([error @ X, error.sum()], np.float32) / len(X))
    return losses


def momentum(params, lr):
    return fastadam.SGD(params, lr=lr, momentum=0.9)


def run(settings):
    """Each at the learning rate with the lowest last loss, of 1 and 3 of each decade from 1e-7 to 1."""
    best = {}
    for name, make in {"momentum": momentum, "Adam": fastadam.Adam}.items():
        runs = {float(lr): train(make, lr) for lr in RATES.ravel()}
        lr = min(runs, key=lambda lr: runs[lr][-50:].mean())
        best[name] = (lr, runs[lr])
    return best


def figure(best):
    drawing = Figure(figsize=(5.2, 3.2), layout="constrained")
    axes = drawing.subplots()
    for name, (lr, losses) in best.items():
        draw(axes, name, np.arange(STEPS), losses, label=f"{name}, lr {lr:g}")
    axes.set(xlabel="step", ylabel="loss", yscale="log", title="A gradient a hundred times another")
    axes.legend(frameon=False)
    return drawing


def summary(best):
    return "\n".join(f"{name:<10} lr {lr:<6g} last loss {losses[-1]:.1e}" for name, (lr, losses) in best.items())


def check(best):
    """Adam's last loss is a thousandth of momentum's or less; no best rate is at the edge of the grid."""
    (one, losses), (other, adams) = best.values()
    assert adams[-50:].mean() < 1e-3 * losses[-50:].mean(), [adams[-1], losses[-1]]
    assert {one, other}.isdisjoint({RATES.min(), RATES.max()}), [one, other]


EXPERIMENT = Experiment(run, figure, check, summary, has_small=False)

if __name__ == "__main__":
    main(EXPERIMENT, __file__, __doc__)
