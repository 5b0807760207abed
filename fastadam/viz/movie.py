"""A race as a film, by matplotlib: a GIF, or an MP4 if ffmpeg is installed."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastadam.viz.extra import needed
from fastadam.viz.picture import SIZE, Paths, draw_contours, new_figure
from fastadam.viz.result import Race

MOST_FRAMES = 60  # while the paths grow; in a longer race, several steps make a frame
FRAMES_PER_SECOND = 12
DPI = 80
HELD = FRAMES_PER_SECOND  # how many frames the last one stays


def frames(steps: int) -> list[int]:
    """The steps that are shown: evenly spaced, and the last."""
    stride = -(-steps // MOST_FRAMES)
    return [*range(0, steps, stride), steps]


def expect_possible(file: Path) -> None:
    """Raise ImportError or RuntimeError without what this film needs."""
    _writer(file)


def write(races: Sequence[Race], file: Path) -> None:
    """Write the film of a race."""
    (race,) = races
    writer = _writer(file)
    figure, axes = _over_still_contours(race)
    paths = Paths(axes, race)
    with writer.saving(figure, str(file), dpi=DPI):
        for step in frames(race.steps):
            paths.show(step)
            writer.grab_frame()
        for _ in range(HELD):
            writer.grab_frame()


def _over_still_contours(race: Race) -> tuple[Any, Any]:
    """A figure with the contours as a background image. Drawing them anew would take most of the time of each frame."""
    still = new_figure()
    place = draw_contours(still, race)
    still.set_dpi(DPI)
    canvas = needed("matplotlib.backends.backend_agg").FigureCanvasAgg(still)
    canvas.draw()
    figure = needed("matplotlib.figure").Figure(figsize=SIZE, dpi=DPI)
    figure.figimage(canvas.buffer_rgba(), zorder=-1)
    axes = figure.add_axes(place.get_position(), xlim=place.get_xlim(), ylim=place.get_ylim(), autoscale_on=False)
    axes.set_axis_off()
    return figure, axes


def _writer(file: Path) -> Any:
    animation = needed("matplotlib.animation")
    if file.suffix.lower() == ".gif":
        return animation.PillowWriter(fps=FRAMES_PER_SECOND)
    if shutil.which("ffmpeg") is None:
        raise RuntimeError(
            f"{str(file)!r} needs ffmpeg, which was not found on PATH; install it (apt install ffmpeg, brew install ffmpeg, "
            "winget install ffmpeg), or write a .gif"
        )
    return animation.FFMpegWriter(fps=FRAMES_PER_SECOND, codec="h264", extra_args=["-pix_fmt", "yuv420p"])
