"""The loss of a surface on a grid, scaled so that evenly spaced contours show its shape."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastadam.viz.surface import Surface
from fastadam.viz.trajectory import losses

POINTS = 96  # of the grid, in each direction
LEVELS = 14  # between contour lines
DECADES = 20  # the scale is logarithmic if the 95th percentile of the loss is more than this many times the 5th


@dataclass(frozen=True)
class Contours:
    """A grid over the region, and the loss there, scaled to 0 to 1: `shown[i, j]` is at `x[j]` and `y[i]`."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    shown: NDArray[np.float64]
    logarithmic: bool


def contours(surface: Surface) -> Contours:
    """The contours of a surface in its region.

    The loss is measured from the lowest. If it spans decades, its logarithm is shown, after adding a hundredth of the median.
    """
    x, y = (np.linspace(*edges, POINTS) for edges in surface.region)
    loss = losses(surface, np.stack(np.meshgrid(x, y), axis=-1))
    at_minima = losses(surface, np.array(surface.minima).reshape(-1, 2))
    loss -= min(np.nanmin(loss), at_minima.min(initial=np.inf))
    low, median, high = np.nanpercentile(loss, [5, 50, 95])
    logarithmic = bool(high > DECADES * low)
    if logarithmic:
        loss = np.log10(loss + median / 100)
    lowest, highest = np.nanmin(loss), np.nanmax(loss)
    return Contours(x, y, (loss - lowest) / (highest - lowest or 1), logarithmic)
