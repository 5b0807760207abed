"""The command line, ``python -m fastadam``: its parser, and a module for each command.

A command has `run`, which returns its results as values that JSON can hold, and `text`, which formats them. Only results go to
the standard output; progress goes to the standard error.
"""
