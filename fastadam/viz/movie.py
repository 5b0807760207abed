"""A race as a film, by matplotlib: a GIF, or an MP4 with the help of ffmpeg."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastadam.viz.extra import needed
from fastadam.viz.picture import SIZE, Ways, draw_ground, new_figure
from fastadam.viz.result import Race

MOST_FRAMES = 60  # of what moves: a longer race is shown in larger strides
FRAMES_PER_SECOND = 12
DPI = 80
HELD = FRAMES_PER_SECOND  # how many frames the last one stays


def frames(steps: int) -> list[int]:
    """The steps that are shown: evenly spaced, and the last."""
    stride = -(-steps // MOST_FRAMES)
    return [*range(0, steps, stride), steps]


def write(races: Sequence[Race], path: Path) -> None:
    """Write the film of a race."""
    (race,) = races
    writer = _writer(path)
    figure, axes = _on_still_ground(race)
    ways = Ways(axes, race)
    with writer.saving(figure, str(path), dpi=DPI):
        for step in frames(race.steps):
            ways.show(step)
            writer.grab_frame()
        for _ in range(HELD):
            writer.grab_frame()


def _on_still_ground(race: Race) -> tuple[Any, Any]:
    """A figure whose background is the drawn ground, as pixels, which would take most of the time of each frame."""
    ground = new_figure()
    place = draw_ground(ground, race)
    ground.set_dpi(DPI)
    canvas = needed("matplotlib.backends.backend_agg").FigureCanvasAgg(ground)
    canvas.draw()
    figure = needed("matplotlib.figure").Figure(figsize=SIZE, dpi=DPI)
    figure.figimage(canvas.buffer_rgba(), zorder=-1)
    axes = figure.add_axes(place.get_position(), xlim=place.get_xlim(), ylim=place.get_ylim(), autoscale_on=False)
    axes.set_axis_off()
    return figure, axes


def _writer(path: Path) -> Any:
    animation = needed("matplotlib.animation")
    if path.suffix.lower() == ".gif":
        return animation.PillowWriter(fps=FRAMES_PER_SECOND)
    if shutil.which("ffmpeg") is None:
        raise RuntimeError(
            f"{str(path)!r} takes ffmpeg, and there is no program of that name on the path; install it (apt install ffmpeg, "
            "brew install ffmpeg, winget install ffmpeg), or write a .gif"
        )
    return animation.FFMpegWriter(fps=FRAMES_PER_SECOND, codec="h264", extra_args=["-pix_fmt", "yuv420p"])
