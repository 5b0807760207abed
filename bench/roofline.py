"""The figure: bandwidth by buffer size, with the walls, one panel for each number of threads."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from machine import subject
from matplotlib.axes import Axes
from results import Results, gigabytes_per_second, setting

STYLES: dict[str, dict[str, Any]] = {
    "copy": {"color": "0.1", "linestyle": "-.", "linewidth": 1.3},
    "memory wall": {"color": "0.25", "linestyle": "--", "linewidth": 1.3},
    "divider wall": {"color": "0.55", "linestyle": ":", "linewidth": 1.6},
    "fast-math build": {"color": "0.7", "linestyle": ":", "linewidth": 1.6},
    "fastadam": {"color": "#d1301f", "linewidth": 2.8, "marker": "o", "markersize": 5, "zorder": 5},
    "torch fused": {"color": "#d97706"},
    "torch foreach": {"color": "#b08a3e"},
    "torch for-loop": {"color": "#7a6a4f"},
    "DeepSpeed": {"color": "#1d6fb8"},
    "optax": {"color": "#2a8f5b"},
    "thinc": {"color": "#7d4fb3"},
    "CuPy elementwise": {"color": "#4a5a8a"},
    "NumPy": {"color": "#4a5a8a"},
}
BYTES_RESIDENT = 16  # an element's parameter, gradient and two moments


def draw(results: Results, path: Path) -> None:
    """Write the figure, unless no single buffer was measured."""
    rows = [row for row in results.rows if row["tensors"] == 1]
    panels = list(dict.fromkeys(row["threads"] for row in rows))
    if not rows:
        return
    figure, axes = plt.subplots(1, len(panels), figsize=(8 * len(panels), 6.4), sharey=True, squeeze=False)
    for ax, threads in zip(axes[0], panels, strict=True):
        _panel(ax, [row for row in rows if row["threads"] == threads])
        ax.set_title(setting(threads), loc="left", fontweight="bold")
        _mark_caches(ax, results.machine["caches"])
    axes[0][0].set_ylabel("GB/s, at 28 bytes an element")
    for ax in axes[0]:
        _label_curves(ax)
    figure.suptitle(f"One AdamW step on one float32 buffer: {subject(results.machine)}", x=0.01, ha="left")
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _panel(ax: Axes, rows: list[dict[str, Any]]) -> None:
    for name, style in STYLES.items():
        points = sorted((row["elements"], gigabytes_per_second(row)) for row in rows if row["contender"] == name)
        if points:
            ax.plot(*zip(*points, strict=True), label=name, **({"linewidth": 1.4, "marker": "o", "markersize": 3} | style))
    ax.set(xscale="log", yscale="log", xlabel="elements")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.grid(axis="y", color="0.92")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _mark_caches(ax: Axes, caches: dict[str, int]) -> None:
    """Mark the sizes beyond which the four arrays no longer fit into each cache."""
    for level, size in caches.items():
        ax.axvline(size / BYTES_RESIDENT, color="0.85", linewidth=1, zorder=0)
        ax.annotate(
            f"{level} ends",
            (size / BYTES_RESIDENT, 0),
            xycoords=("data", "axes fraction"),
            xytext=(-3, 4),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="bottom",
            color="0.5",
            fontsize=8,
        )


def _label_curves(ax: Axes) -> None:
    """Write each curve's name beside its right end, moving names apart where they would collide."""
    gap = 12.0  # points
    ax.figure.canvas.draw()
    to_points = 72 / ax.figure.dpi
    lines = sorted(ax.get_lines(), key=lambda line: float(line.get_ydata()[-1]))
    lines = [line for line in lines if line.get_label() in STYLES]
    ends = [ax.transData.transform((line.get_xdata()[-1], line.get_ydata()[-1]))[1] * to_points for line in lines]
    for line, end, place in zip(lines, ends, _spread(ends, gap), strict=True):
        ax.annotate(
            str(line.get_label()),
            (line.get_xdata()[-1], line.get_ydata()[-1]),
            xytext=(24, place - end),
            textcoords="offset points",
            va="center",
            color=line.get_color(),
            fontweight="bold" if line.get_label() == "fastadam" else "normal",
            fontsize=9.5,
            arrowprops={
                "arrowstyle": "-",
                "color": line.get_color(),
                "linewidth": 0.6,
                "shrinkA": 1,
                "shrinkB": 2,
                "relpos": (0, 0.5),
            },
            annotation_clip=False,
        )


def _spread(places: list[float], gap: float) -> list[float]:
    """Ascending positions at least `gap` apart, close to the given ones."""
    clusters: list[list[float]] = []
    for place in places:
        clusters.append([place])
        while len(clusters) > 1 and _span(clusters[-2], gap)[1] + gap > _span(clusters[-1], gap)[0]:
            clusters[-2:] = [clusters[-2] + clusters[-1]]
    return [_span(cluster, gap)[0] + gap * i for cluster in clusters for i in range(len(cluster))]


def _span(cluster: list[float], gap: float) -> tuple[float, float]:
    """The lowest and the highest position of a cluster whose members are `gap` apart around their mean."""
    middle, half = sum(cluster) / len(cluster), gap * (len(cluster) - 1) / 2
    return middle - half, middle + half
