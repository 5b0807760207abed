"""Pictures of optimizers at work. Needs the extra `viz`: ``pip install 'fastadam[viz]'``."""

from fastadam.viz.catalog import SURFACES
from fastadam.viz.methods import METHODS
from fastadam.viz.result import Race, save
from fastadam.viz.runner import race
from fastadam.viz.surface import Surface
from fastadam.viz.trajectory import Trajectory

__all__ = ["METHODS", "SURFACES", "Race", "Surface", "Trajectory", "race", "save"]
