"""Which part of a surface is drawn if none was given."""

import numpy as np

from fastadam.viz.result import Race
from fastadam.viz.surface import Point


def visited(result: Race) -> tuple[Point, Point]:
    """A region around the start, the minima and those points of all paths where the loss is not above that at the start."""
    paths = [path.positions[path.values <= path.values[0]] for path in result.trajectories.values()]
    points = np.concatenate([*paths, np.reshape(result.surface.minima, (-1, 2))]).astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.3 * np.maximum(high - low, 0.3 * max(high - low) or 1.0)  # a straight path gets one on both sides too
    (x, y), (x_end, y_end) = (low - margin).tolist(), (high + margin).tolist()
    return (x, x_end), (y, y_end)


def with_start(region: tuple[Point, Point], start: Point) -> tuple[Point, Point]:
    """The region, enlarged if the start is outside."""
    (x, x_end), (y, y_end) = (
        (min(low, at - (high - low) / 20), max(high, at + (high - low) / 20)) if not low <= at <= high else (low, high)
        for (low, high), at in zip(region, start, strict=True)
    )
    return (x, x_end), (y, y_end)
