"""Pictures of optimizers at work. Needs the extra `viz`: ``pip install 'fastadam[viz]'``."""

from fastadam.viz.methods import METHODS
from fastadam.viz.race import race
from fastadam.viz.races import Race, save
from fastadam.viz.surface import Surface
from fastadam.viz.surfaces import SURFACES
from fastadam.viz.trajectory import Trajectory
from fastadam.viz.uncorrected import uncorrected

__all__ = ["METHODS", "SURFACES", "Race", "Surface", "Trajectory", "race", "save", "uncorrected"]
