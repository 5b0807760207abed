"""Figures of one style: panels for wide and for narrow screens, and loss curves like the paper's."""

import contextlib
import textwrap

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fastadam.viz.style import STYLES
from fastadam.viz.svg import GREY

CAPTION = {"fontsize": "small", "color": GREY}
POINTS = 50  # the most points of a curve
PHONE = 5.0  # inches: the width of a figure for a narrow screen

_narrow = False


@contextlib.contextmanager
def for_narrow_screens():
    """Within it, panels stand below each other."""
    global _narrow
    _narrow = True
    try:
        yield
    finally:
        _narrow = False


def panels(rows, columns, size, widths=None):
    """A figure of `size` inches, and its panels in reading order; on a narrow screen they are of about the same height."""
    if not _narrow:
        figure = Figure(figsize=size, layout="constrained")
        return figure, [*figure.subplots(rows, columns, squeeze=False, width_ratios=widths).flat]
    figure = Figure(figsize=(PHONE, rows * columns * max(size[1] / rows, 2.6)), layout="constrained")
    return figure, [*figure.subplots(rows * columns, 1, squeeze=False).flat]


def is_narrow():
    """Whether the figure is for a narrow screen."""
    return _narrow


def caption(figure, text):
    """Describe the data below the panels."""
    lines = [line for part in text.split("\n") for line in textwrap.wrap(part, 70 if _narrow else 130)]
    figure.supxlabel("\n".join(lines), **CAPTION)


def long_title(text):
    """The title of a panel, in more lines on a narrow screen."""
    return textwrap.fill(text, 36) if _narrow else text


def loss_curves(groups, title, words):
    """Plot the losses of runs over the epochs. `groups` maps the title of each panel to its runs; `words` describe the data.

    If there are many epochs, a point is the mean of several. Runs with a note are faint.
    """
    figure, all_axes = panels(1, len(groups), (7 if len(groups) == 1 else 10, 4.3))
    for axes, (subtitle, runs) in zip(all_axes, groups.items(), strict=True):
        for run in runs:
            width = -(-len(run.losses) // POINTS)
            ends = np.arange(width, len(run.losses) + 1, width)
            means = [run.losses[end - width : end].mean() for end in ends]
            draw(axes, run.method, ends, means, label=f"{run.label}, lr {run.lr:g}", alpha=0.4 if run.note else 1)
        axes.set(xlabel="epoch", yscale="log", title=subtitle)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right", facecolor="white", edgecolor="none", framealpha=0.85)
    for axes in all_axes if _narrow else all_axes[:1]:
        axes.set_ylabel("training loss" if width == 1 else f"training loss, mean of {width} epochs")
    figure.suptitle(title)
    caption(figure, words)
    return figure


def draw(axes, method, x, y, **options):
    """Draw a line in the style of a method, with a few markers."""
    style = STYLES[method]
    return axes.plot(
        x, y, color=style.color, linestyle=style.linestyle, marker=style.marker, markevery=max(1, len(x) // 8), **options
    )
