"""Pictures of optimizers at work. Needs the extra `viz`: ``pip install 'fastadam[viz]'``."""
