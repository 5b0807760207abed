"""Pictures of optimizers at work. Needs the extra `viz`: ``pip install 'fastadam[viz]'``."""

from fastadam.viz.uncorrected import uncorrected

__all__ = ["uncorrected"]
