"""Why Adam adds eps: it says below which size a gradient counts as zero.

The first step for a gradient g is lr * g / (|g| + eps): one learning rate if g is well above eps, nothing if it is well below.
Without eps, rounding errors of gradients that should be zero become whole steps, and a gradient of exactly zero becomes NaN.
"""

import numpy as np
from lab.program import Experiment, main
from matplotlib.figure import Figure

import fastadam

GRADIENTS = np.logspace(-12, 0, 49).astype(np.float32)
DRAWN = {1e-8: ("#d55e00", "-"), 1e-5: ("#0072b2", "--"), 1e-3: ("#009e73", "-.")}


def first_steps(gradients, eps):
    """The sizes of the first steps, in learning rates."""
    params = np.zeros_like(gradients)
    fastadam.Adam(params, lr=1.0, eps=eps).step(gradients)
    return -params


def run(settings):
    sizes = {eps: first_steps(GRADIENTS, eps) for eps in DRAWN}
    return sizes | {0.0: first_steps(np.array([0, 1e-12], np.float32), 0.0)}


def figure(sizes):
    drawing = Figure(figsize=(5.2, 3.2), layout="constrained")
    axes = drawing.subplots()
    for eps, (color, line) in DRAWN.items():
        axes.semilogx(GRADIENTS, sizes[eps], line, color=color, linewidth=2, label=f"eps = {eps:g}")
    axes.set(xlabel="size of the gradient", ylabel="step, in learning rates", title="The first step")
    axes.legend(frameon=False)
    return drawing


def summary(sizes):
    at = [f"eps {eps:g}: half a step at a gradient of {GRADIENTS[sizes[eps].searchsorted(0.499)]:.0e}" for eps in DRAWN]
    zero, tiny = sizes[0.0]
    return "\n".join([*at, f"eps 0: {zero} for a gradient of 0, {tiny:g} for one of 1e-12"])


def check(sizes):
    """g / (g + eps); without eps a whole step for any gradient, and NaN for none."""
    for eps in DRAWN:
        expected = GRADIENTS / (GRADIENTS + eps)
        assert np.abs(sizes[eps] - expected).max() < 1e-6, eps
    zero, tiny = sizes[0.0]
    assert np.isnan(zero), zero
    assert abs(tiny - 1) < 1e-6, tiny


EXPERIMENT = Experiment(run, figure, check, summary, has_small=False)

if __name__ == "__main__":
    main(EXPERIMENT, __file__, __doc__)
