"""Loss curves like the paper's, with the same style for a method in every figure."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fastadam.viz.style import STYLES

CAPTION = {"fontsize": "small", "color": "#555555"}
POINTS = 50  # the most points of a curve


def loss_curves(panels, title, caption):
    """Plot the losses of runs over the epochs. `panels` maps the title of each panel to its runs; `caption` describes the data.

    If there are many epochs, a point is the mean of several. Runs with a note are faint.
    """
    figure = Figure(figsize=(7 if len(panels) == 1 else 10, 4.3), layout="constrained")
    for axes, (subtitle, runs) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for run in runs:
            width = -(-len(run.losses) // POINTS)
            ends = np.arange(width, len(run.losses) + 1, width)
            means = [run.losses[end - width : end].mean() for end in ends]
            draw(axes, run.method, ends, means, label=f"{run.label}, lr {run.lr:g}", alpha=0.4 if run.note else 1)
        axes.set(xlabel="epoch", yscale="log", title=subtitle)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right", facecolor="white", edgecolor="none", framealpha=0.85)
    figure.axes[0].set_ylabel("training loss" if width == 1 else f"training loss, mean of {width} epochs")
    figure.suptitle(title)
    figure.supxlabel(caption, **CAPTION)
    return figure


def draw(axes, method, x, y, **options):
    """Draw a line in the style of a method, with a few markers."""
    style = STYLES[method]
    return axes.plot(
        x, y, color=style.color, linestyle=style.linestyle, marker=style.marker, markevery=max(1, len(x) // 8), **options
    )
