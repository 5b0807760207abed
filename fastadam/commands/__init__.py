"""The commands of ``python -m fastadam``: a module each, with `run`, whose result JSON can have, and `text`, which words it.

Only results go to the standard output. Progress goes to the standard error.
"""
