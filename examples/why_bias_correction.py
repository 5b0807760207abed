"""Why Adam corrects its averages: they start at zero, and without correction the first steps are several times too large.

All gradients are 1, so each step should be one learning rate. The average of squares remembers 1,000 steps and takes as long to
grow; that of gradients has grown after ten. Their quotient is too large in between.
"""

import numpy as np
from lab.program import Experiment, main
from matplotlib.figure import Figure

import fastadam
from fastadam.viz.style import STYLES

STEPS = 5_000


def steps(bias_correction):
    """The size of each step for a gradient of 1, in learning rates."""
    lr = 2.0**-10
    param = np.zeros(1, np.float32)
    optimizer = fastadam.Adam(param, lr=lr, betas=(0.9, 0.999), eps=1e-8, bias_correction=bias_correction)
    sizes = np.empty(STEPS)
    for step in range(STEPS):
        param[0] = 0  # so that the step is not rounded
        optimizer.step(np.ones(1, np.float32))
        sizes[step] = -param[0] / lr
    return sizes


def run(settings):
    return {"without correction": steps(False), "with correction": steps(True)}


def figure(sizes):
    drawing = Figure(figsize=(5.2, 3.2), layout="constrained")
    axes = drawing.subplots()
    for (name, values), method in zip(sizes.items(), ("AMSGrad", "Adam"), strict=True):
        axes.semilogx(np.arange(1, STEPS + 1), values, color=STYLES[method].color, linewidth=2, label=name)
    axes.set(xlabel="step", ylabel="step size, in learning rates", ylim=(0, 7), title="Every gradient is 1")
    axes.legend(frameon=False)
    return drawing


def summary(sizes):
    without, _ = sizes.values()
    most = int(without.argmax())
    return f"without correction: first step {without[0]:.2f} lr, largest {without[most]:.2f} lr in step {most + 1}"


def check(sizes):
    """With correction each step is one learning rate; without, the first is 3.16, the 12th 6.6, and after 5,000 all is well."""
    without, corrected = sizes.values()
    assert np.abs(corrected - 1).max() < 1e-5, np.abs(corrected - 1).max()
    assert abs(without[0] - 3.162) < 0.01, without[0]
    assert without.argmax() == 11, without.argmax()
    assert abs(without[11] - 6.57) < 0.05, without[11]
    assert abs(without[-1] - 1) < 0.01, without[-1]


EXPERIMENT = Experiment(run, figure, check, summary, has_small=False)

if __name__ == "__main__":
    main(EXPERIMENT, __file__, __doc__)
