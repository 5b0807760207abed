"""The heights of a surface on a grid, on a scale on which evenly spaced contour lines show its form."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastadam.viz.surface import Surface
from fastadam.viz.trajectory import heights

POINTS = 96  # of the grid, in each direction
LEVELS = 14  # between contour lines
DECADES = 20  # how many times the heights have to grow from the lowest 5 % of the region to the highest for a logarithmic scale


@dataclass(frozen=True)
class Relief:
    """A grid over the region, and the surface's heights there from 0 to 1, `shown[i, j]` at `x[j]` and `y[i]`."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    shown: NDArray[np.float64]
    logarithmic: bool


def relief(surface: Surface) -> Relief:
    """The relief of the surface's region.

    Heights are counted from the lowest. Where they span decades their logarithm is shown, from a hundredth of the median on.
    """
    x, y = (np.linspace(*edges, POINTS) for edges in surface.region)
    height = heights(surface, np.stack(np.meshgrid(x, y), axis=-1))
    known = heights(surface, np.array(surface.minima).reshape(-1, 2))
    height -= min(np.nanmin(height), known.min(initial=np.inf))
    low, median, high = np.nanpercentile(height, [5, 50, 95])
    logarithmic = bool(high > DECADES * low)
    if logarithmic:
        height = np.log10(height + median / 100)
    lowest, highest = np.nanmin(height), np.nanmax(height)
    return Relief(x, y, (height - lowest) / (highest - lowest or 1), logarithmic)
