"""Why Adam averages gradients: single examples point almost anywhere, and their average points downhill.

One neuron, sigmoid(w x + b), learns 200 noisy points, one random point in each step. With beta1 = 0 each step follows its point
alone, and w trembles; with beta1 = 0.9 a step follows about ten points.
"""

import numpy as np
from lab.program import Experiment, main
from matplotlib.figure import Figure

import fastadam
from fastadam.viz.style import STYLES

STEPS, LR = 300, 0.05
BETAS = {"without: β₁ = 0": (0.0, 0.999), "with: β₁ = 0.9": (0.9, 0.999)}


def path(betas, seed):
    """w after each step."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3, 3, 200)
    y = (rng.random(200) < 1 / (1 + np.exp(-(1.5 * x - 1)))).astype(float)  # zeros and ones
    params = np.ones(2, np.float32)
    optimizer = fastadam.Adam(params, lr=LR, betas=betas)
    w = np.empty(STEPS)
    for step, i in enumerate(rng.integers(0, 200, STEPS)):
        error = 1 / (1 + np.exp(-(params[0] * x[i] + params[1]))) - y[i]  # of the cross-entropy
        optimizer.step(np.array([error * x[i], error], np.float32))
        w[step] = params[0]
    return w


def run(settings):
    return {name: path(betas, settings.seed) for name, betas in BETAS.items()}


def way(w):
    """The length of the way that w went."""
    return float(np.abs(np.diff(w)).sum())


def figure(paths):
    drawing = Figure(figsize=(5.2, 3.2), layout="constrained")
    axes = drawing.subplots()
    for (name, w), method in zip(paths.items(), ("AMSGrad", "Adam"), strict=True):
        axes.plot(w, color=STYLES[method].color, linewidth=1.5, label=name)
    axes.set(xlabel="step", ylabel="w", title="One random example a step")
    axes.legend(frameon=False)
    return drawing


def summary(paths):
    return "\n".join(f"{name:<16} w ends at {w[-1]:.2f}; it went a way of {way(w):.1f}" for name, w in paths.items())


def check(paths):
    """Without the average w goes about twice as far or more, and ends near the same value."""
    without, averaged = paths.values()
    assert way(without) > 1.8 * way(averaged), [way(without), way(averaged)]
    ends = [float(w[-100:].mean()) for w in (without, averaged)]
    assert abs(ends[0] - ends[1]) < 0.3, ends


EXPERIMENT = Experiment(run, figure, check, summary, has_small=False)

if __name__ == "__main__":
    main(EXPERIMENT, __file__, __doc__)
