"""Which part of a surface is drawn, where nobody has said."""

import numpy as np

from fastadam.viz.result import Race
from fastadam.viz.surface import Point


def visited(result: Race) -> tuple[Point, Point]:
    """Around the start, the minima and the ways, as far as those are not higher than the start."""
    ways = [way.positions[way.values <= way.values[0]] for way in result.trajectories.values()]
    points = np.concatenate([*ways, np.reshape(result.surface.minima, (-1, 2))]).astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.3 * np.maximum(high - low, 0.3 * max(high - low) or 1.0)  # also across a way that is straight
    (x, y), (x_end, y_end) = (low - margin).tolist(), (high + margin).tolist()
    return (x, x_end), (y, y_end)


def with_start(region: tuple[Point, Point], start: Point) -> tuple[Point, Point]:
    """The region, made larger if the start is not in it."""
    (x, x_end), (y, y_end) = (
        (min(low, at - (high - low) / 20), max(high, at + (high - low) / 20)) if not low <= at <= high else (low, high)
        for (low, high), at in zip(region, start, strict=True)
    )
    return (x, x_end), (y, y_end)
