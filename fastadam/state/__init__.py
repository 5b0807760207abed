"""Formats of an optimizer's state: state dicts, checkpoint files, and those of other libraries.

Nothing here takes a step, and modules here know only the groups, arrays and counts of an optimizer.
"""
