"""Loss curves in the manner of the paper, drawn as every method is drawn everywhere."""

import numpy as np
from matplotlib.figure import Figure

from fastadam.viz.style import STYLES


def loss_curves(runs, title, caption, ylabel="training loss"):
    """The losses of each run over the epochs, on a logarithmic axis. `caption` says what the data are."""
    figure = Figure(figsize=(7, 4.3), layout="constrained")
    axes = figure.subplots()
    for run in runs:
        draw(axes, run.method, np.arange(1, len(run.losses) + 1), run.losses, label=f"{run.method}, lr {run.lr:g}")
    axes.set(xlabel="epoch", ylabel=ylabel, yscale="log", title=title)
    axes.grid(which="both", alpha=0.2)
    axes.legend(frameon=False)
    figure.supxlabel(caption, fontsize="small", color="#555555")
    return figure


def draw(axes, method, x, y, **options):
    """A line in the style of a method, with a few of its marks."""
    style = STYLES[method]
    return axes.plot(
        x, y, color=style.color, linestyle=style.linestyle, marker=style.marker, markevery=max(1, len(x) // 8), **options
    )
